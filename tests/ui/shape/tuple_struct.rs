use shm::Shared;

#[derive(Shared)]
struct Pair(u8, u8);

fn main() {}
