use shm::Shared;

#[derive(Shared)]
struct Sensor {
    samples: [u64; 1_000_000_000],
}

fn main() {}
