use shm::Shared;

#[derive(Shared)]
#[repr(C, packed)]
struct Sensor {
    id: u64,
}

fn main() {}
