use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: [std::sync::Arc<u64>; 2],
}

fn main() {}
