use shm::Shared;

#[derive(Shared)]
struct Pair<T> {
    a: T,
    b: T,
}

fn main() {}
