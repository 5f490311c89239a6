use shm::Shared;

#[derive(Shared)]
enum State {
    Idle,
}

#[derive(Shared)]
struct Sensor {
    #[shared(default)]
    state: State,
}

fn main() {}
