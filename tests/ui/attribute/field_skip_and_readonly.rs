use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(readonly, skip)]
    id: u64,
}

fn main() {}
