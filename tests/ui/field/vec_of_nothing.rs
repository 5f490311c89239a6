use shm::Shared;

#[derive(Shared)]
struct Nothing;

#[derive(Shared)]
struct Sensor {
    parts: Vec<Nothing>,
}

fn main() {}
