use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(rename = "other")]
    id: u64,
}

fn main() {}
