use shm::Shared;

#[derive(Shared)]
struct Sensor {
    map: indexmap::IndexMap<u8, u8>,
}

fn main() {}
