use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: usize,
}

fn main() {}
