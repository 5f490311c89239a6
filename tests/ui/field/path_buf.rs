use shm::Shared;

#[derive(Shared)]
struct Sensor {
    file: std::path::PathBuf,
}

fn main() {}
