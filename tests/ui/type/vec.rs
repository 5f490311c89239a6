use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Vec<f64>,
}

fn main() {}
