use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: _,
}

fn main() {}
