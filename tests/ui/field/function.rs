use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: fn(u8) -> u8,
}

fn main() {}
