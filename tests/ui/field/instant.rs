use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::time::Instant,
}

fn main() {}
