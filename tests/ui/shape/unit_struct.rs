use shm::Shared;

#[derive(Shared)]
struct Nothing;

fn main() {}
