//! The first ten minutes: objects that change shape, structs that do not, and who sees what.
//!
//! Run it twice at the same time and both processes work on the same segment.

use shm::{Dict, Error, Segment, SegmentOptions, Shared, Value};

/// A typed struct: offsets are constants, Python sees the same fields by name.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "quickstart.Sensor")]
struct Sensor {
    id: u64,
    temperature: f64,
    position: [f32; 3],
    label: String,
    calibration: Option<Calibration>,
}

/// A struct inside of a struct.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "quickstart.Calibration")]
struct Calibration {
    offset: f64,
    gain: f64,
}

fn main() -> Result<(), Error> {
    // Create or attach, whoever comes first. The size is a ceiling; memory is taken as it is used.
    let seg = Segment::open("shm-quickstart", SegmentOptions::new().size(1 << 30))?;
    let root: Dict = seg.root();

    // Objects as in Python: nested at any depth, changed in place.
    let bids = seg.list([(101.5, 3).into(), (101.25, 7).into()])?;
    root.insert("book", &seg.dict([("bids", Value::from(&bids)), ("n", 0.into())])?)?;
    bids.push((101.0, 1))?;
    if let Some(Value::Dict(book)) = root.get("book")? {
        println!("book: {:?} bids, n = {}", bids.len()?, display(&book.add("n", 1)?));
    }

    // A typed struct. Each setter is one atomic operation, `update` is one for all that it changes.
    let sensor = seg.alloc(Sensor {
        id: 7,
        temperature: 19.5,
        position: [0.0, 1.5, 0.25],
        label: "inlet".to_owned(),
        calibration: None,
    })?;
    root.insert("sensor", &sensor)?;
    sensor.set_temperature(sensor.temperature() + 0.5)?;
    sensor.update(|s| {
        s.label.push_str(" 2");
        s.calibration = Some(Calibration { offset: 0.1, gain: 1.02 });
    })?;

    // Another process would do this. Other fields than the stored ones are a SchemaMismatch.
    if let Some(found) = root.get_as::<Sensor>("sensor")? {
        println!("sensor: {:?}", found.load()?);
    }
    for peer in seg.peers()? {
        println!("attached: pid {} ({}), alive: {}", peer.pid, peer.name, peer.alive);
    }
    println!("{} of {} bytes used", seg.used()?, seg.size());
    Ok(())
}

fn display(value: &Value) -> String {
    value.as_int().map_or_else(|| format!("{value:?}"), |n| n.to_string())
}
