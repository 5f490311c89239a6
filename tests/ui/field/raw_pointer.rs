use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: *const u8,
}

fn main() {}
