use shm::Shared;

#[derive(Shared)]
enum State {}

fn main() {}
