use shm::Shared;

#[derive(Shared)]
enum State {
    Idle,
}

fn make(segment: &shm::Segment) {
    let _ = segment.alloc(State::Idle);
}

fn main() {}
