use shm::Shared;

#[derive(Shared)]
struct Sensor {
    samples: Vec<usize>,
}

fn main() {}
