use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(skip = true)]
    id: u64,
}

fn main() {}
