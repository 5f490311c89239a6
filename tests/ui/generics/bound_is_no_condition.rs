use shm::Shared;

#[derive(Shared)]
#[shared(bound(T))]
struct Pair<T: Shared> {
    left: T,
}

fn main() {}
