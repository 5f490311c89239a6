use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(default = 7)]
    id: u64,
}

fn main() {}
