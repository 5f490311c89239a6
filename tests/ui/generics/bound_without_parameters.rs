use shm::Shared;

#[derive(Shared)]
#[shared(bound(u8: Shared))]
struct Pair {
    left: u8,
}

fn main() {}
