use shm::Shared;

struct Plain {
    x: u8,
}

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Plain,
}

fn main() {}
