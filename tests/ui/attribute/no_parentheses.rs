use shm::Shared;

#[derive(Shared)]
#[shared]
struct Sensor {
    id: u64,
}

fn main() {}
