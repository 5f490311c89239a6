use shm::Shared;

#[derive(Shared)]
enum State {
    Idle,
    Running { rpm: u32 },
}

fn main() {}
