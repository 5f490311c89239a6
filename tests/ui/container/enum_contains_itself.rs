use shm::Shared;

#[derive(Shared)]
enum State {
    Idle,
    Next(State),
}

fn main() {}
