use shm::Shared;

#[derive(Shared)]
struct Tree<T: Shared> {
    value: T,
    left: Option<Tree<T>>,
}

fn main() {}
