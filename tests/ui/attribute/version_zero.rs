use shm::Shared;

#[derive(Shared)]
#[shared(version = 0)]
struct Sensor {
    id: u64,
}

fn main() {}
