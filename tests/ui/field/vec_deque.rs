use shm::Shared;

#[derive(Shared)]
struct Sensor {
    samples: std::collections::VecDeque<u8>,
}

fn main() {}
