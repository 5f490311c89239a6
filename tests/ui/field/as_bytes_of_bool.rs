use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(as_bytes)]
    raw: [bool; 4],
}

fn main() {}
