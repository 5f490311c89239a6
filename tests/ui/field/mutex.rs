use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::sync::Mutex<u64>,
}

fn main() {}
