use shm::Shared;

#[derive(Shared)]
struct Sensor {
    other: u8,
    #[shared(rename = "a.b")]
    id: u64,
}

fn main() {}
