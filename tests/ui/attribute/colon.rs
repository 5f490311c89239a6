use shm::Shared;

#[derive(Shared)]
#[shared(name: "plant.Sensor")]
struct Sensor {
    id: u64,
}

fn main() {}
