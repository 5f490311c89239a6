use shm::Shared;

#[derive(Shared)]
#[shared(bound = "T: Shared")]
struct Pair<T> {
    left: T,
}

fn main() {}
