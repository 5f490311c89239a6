use shm::Shared;

#[derive(Shared)]
struct Node {
    next: Option<Node>,
}

fn main() {}
