use shm::Shared;

#[derive(Shared)]
#[shared(name = "a", name = "b")]
struct Sensor {
    id: u64,
}

fn main() {}
