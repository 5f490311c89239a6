use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Box<dyn Fn()>,
}

fn main() {}
