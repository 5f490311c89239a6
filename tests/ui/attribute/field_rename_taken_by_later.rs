use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(rename = "other")]
    id: u64,
    other: u8,
}

fn main() {}
