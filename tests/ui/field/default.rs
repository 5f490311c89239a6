use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(default)]
    id: u64,
}

fn main() {}
