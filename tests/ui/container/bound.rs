use shm::Shared;

#[derive(Shared)]
#[shared(bound(T: Copy))]
struct Sensor {
    id: u64,
}

fn main() {}
