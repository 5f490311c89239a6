use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: &'static str,
}

fn main() {}
