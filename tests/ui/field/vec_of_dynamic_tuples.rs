use shm::Shared;

#[derive(Shared)]
struct Sensor {
    labels: Option<Vec<(u64, String)>>,
}

fn main() {}
