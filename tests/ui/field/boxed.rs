use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Box<u64>,
}

fn main() {}
