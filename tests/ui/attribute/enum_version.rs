use shm::Shared;

#[derive(Shared)]
#[shared(version = 2)]
enum State {
    Idle,
}

fn main() {}
