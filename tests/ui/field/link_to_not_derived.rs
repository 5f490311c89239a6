use shm::Shared;

struct Plain;

#[derive(Shared)]
struct Sensor {
    next: Option<shm::Link<Plain>>,
}

fn main() {}
