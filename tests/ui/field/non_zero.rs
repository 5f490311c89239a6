use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: std::num::NonZeroU32,
}

fn main() {}
