use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::collections::HashMap<String, u64>,
}

fn main() {}
