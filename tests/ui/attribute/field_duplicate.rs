use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(skip, skip)]
    id: u64,
}

fn main() {}
