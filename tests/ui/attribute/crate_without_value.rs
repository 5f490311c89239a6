use shm::Shared;

#[derive(Shared)]
#[shared(crate)]
struct Sensor {
    id: u64,
}

fn main() {}
