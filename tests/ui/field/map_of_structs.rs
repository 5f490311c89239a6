use shm::Shared;

#[derive(Shared)]
struct Part {
    number: u64,
}

#[derive(Shared)]
struct Sensor {
    parts: std::collections::BTreeMap<String, Part>,
}

fn main() {}
