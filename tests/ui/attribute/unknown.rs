use shm::Shared;

#[derive(Shared)]
#[shared(nam = "plant.Sensor")]
struct Sensor {
    id: u64,
}

fn main() {}
