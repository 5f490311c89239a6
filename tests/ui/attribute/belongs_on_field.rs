use shm::Shared;

#[derive(Shared)]
#[shared(skip)]
struct Sensor {
    id: u64,
}

fn main() {}
