use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(name = "x")]
    id: u64,
}

fn main() {}
