use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(readonly)]
    id: u64,
}

fn main() {
    let _ = |sensor: &SensorRef| sensor.set_id(1);
}
