use shm::Shared;

#[derive(Shared)]
#[shared(crate = "::shm")]
struct Sensor {
    id: u64,
}

fn main() {}
