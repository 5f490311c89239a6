use shm::Shared;

struct Plain;

#[derive(Shared)]
struct Sensor {
    part: (u8, Plain, String),
}

fn main() {}
