use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: [[u64; 1 << 30]; 1 << 20],
}

fn main() {}
