use shm::Shared;

#[derive(Shared)]
enum State {
    #[shared(rename = "x")]
    Idle,
}

fn main() {}
