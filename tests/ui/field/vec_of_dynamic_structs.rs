use shm::Shared;

#[derive(Shared)]
struct Part {
    label: String,
    id: u64,
}

#[derive(Shared)]
struct Sensor {
    parts: Vec<Part>,
}

fn main() {}
