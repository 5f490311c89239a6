use shm::Shared;

#[derive(Shared)]
enum State {
    Idle = 1,
}

fn main() {}
