use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::cell::RefCell<u64>,
}

fn main() {}
