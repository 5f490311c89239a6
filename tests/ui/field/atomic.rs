use shm::Shared;

#[derive(Shared)]
struct Sensor {
    count: std::sync::atomic::AtomicUsize,
}

fn main() {}
