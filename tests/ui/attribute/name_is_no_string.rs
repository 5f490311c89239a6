use shm::Shared;

#[derive(Shared)]
#[shared(name = 1)]
struct Sensor {
    id: u64,
}

fn main() {}
