use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Option<isize>,
}

fn main() {}
