use shm::Shared;

#[derive(Shared)]
struct Sensor {
    nothing: (),
}

fn main() {}
