use shm::Shared;

#[derive(Shared)]
#[shared(name = )]
struct Sensor {
    id: u64,
}

fn main() {}
