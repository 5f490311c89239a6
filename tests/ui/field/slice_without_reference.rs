use shm::Shared;

#[derive(Shared)]
struct Sensor {
    samples: [f64],
}

fn main() {}
