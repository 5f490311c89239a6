use shm::Shared;

#[derive(Shared)]
#[shared(name = "plant sensor")]
struct Sensor {
    id: u64,
}

fn main() {}
