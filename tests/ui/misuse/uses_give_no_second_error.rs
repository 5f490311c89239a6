use shm::{Dict, Segment, Shared, Value};

#[derive(Shared, Debug, Clone)]
struct Sensor {
    id: u64,
    label: String,
    position: [f32; 3],
    count: usize,
}

#[derive(Shared)]
struct Outer {
    sensor: Sensor,
}

fn all(segment: &Segment, root: &Dict) -> Result<(), shm::Error> {
    let sensor: SensorRef = segment.alloc(Sensor {
        id: 1,
        label: String::new(),
        position: [0.0; 3],
        count: 1,
    })?;
    root.insert("sensor", &sensor)?;
    let sensor = root.get_as::<Sensor>("sensor")?.unwrap();
    sensor.set_id(sensor.id() + 1)?;
    sensor.fetch_add_id(1)?;
    sensor.set_label("x")?;
    sensor.update(|s| s.id = 2)?;
    sensor.items_position().set(1, 0.5)?;
    let copy: Sensor = sensor.load()?;
    sensor.store(copy.clone())?;
    println!("{copy:?} {sensor:?} {}", sensor.try_label()?);
    let _ = Value::from(sensor.clone());
    Ok(())
}

fn main() {
    let _ = all;
}
