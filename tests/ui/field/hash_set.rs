use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::collections::HashSet<u64>,
}

fn main() {}
