use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(skip, default)]
    id: u64,
}

fn main() {}
