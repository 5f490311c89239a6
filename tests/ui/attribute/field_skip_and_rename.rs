use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(skip, rename = "x")]
    id: u64,
}

fn main() {}
