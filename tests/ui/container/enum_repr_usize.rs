use shm::Shared;

#[derive(Shared)]
#[repr(usize)]
enum State {
    Idle = 1,
}

fn main() {}
