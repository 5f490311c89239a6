use shm::Shared;

#[derive(Shared)]
#[shared(version = "2")]
struct Sensor {
    id: u64,
}

fn main() {}
