use shm::Shared;

#[derive(Shared)]
struct Sensor {
    number: f64,
}

fn main() {
    let _ = |sensor: &SensorRef| sensor.fetch_add_number(1.0);
}
