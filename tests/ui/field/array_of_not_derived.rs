use shm::Shared;

struct Plain;

#[derive(Shared)]
struct Sensor {
    parts: [Plain; 2],
}

fn main() {}
