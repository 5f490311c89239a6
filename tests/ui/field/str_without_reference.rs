use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    label: str,
}

fn uses(sensor: &SensorRef) -> Result<u64, shm::Error> {
    sensor.set_id(1)?;
    Ok(sensor.load()?.id)
}

fn main() {}
