//! A telemetry feed: this program writes, `telemetry.py` reads and draws, both while it runs.
//!
//! `telemetry NAME` writes into a segment that is there; alone it makes one, and reads itself.

use shm::{Segment, SegmentOptions, Shared};

/// What the pump is doing.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "plant.State")]
enum State {
    Starting,
    Running { rpm: u32 },
    Stopped(String),
}

/// One pump.
#[derive(Shared, Debug, Clone)]
#[shared(name = "plant.Pump")]
struct Pump {
    #[shared(readonly)]
    id: u64,
    state: State,
    /// In degrees, one for each step.
    temperatures: Vec<f64>,
    steps: u64,
}

const STEPS: u32 = 600;

fn write(pump: &PumpRef) -> Result<(), shm::Error> {
    for step in 0..STEPS {
        let angle = f64::from(step) / 40.0;
        // Readers see both changes or none, whichever process is killed now.
        pump.update(|pump| {
            pump.state = State::Running { rpm: 900 + step % 50 };
            pump.steps += 1;
        })?;
        pump.temperatures().push(20.0 + 5.0 * angle.sin())?;
    }
    pump.set_state(State::Stopped("all steps are done".into()))
}

fn main() -> Result<(), shm::Error> {
    let segment = match std::env::args().nth(1) {
        Some(name) => Segment::attach(&name, SegmentOptions::new())?,
        None => Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?,
    };
    let pump = segment.alloc(Pump {
        id: 7,
        state: State::Starting,
        temperatures: Vec::new(),
        steps: 0,
    })?;
    segment.root().insert("pump", &pump)?;
    write(&pump)?;
    let pump = pump.load()?;
    let highest = pump.temperatures.iter().copied().fold(f64::MIN, f64::max);
    println!(
        "pump {}: {} steps, at most {highest:.2} degrees, {:?}",
        pump.id, pump.steps, pump.state
    );
    assert_eq!(pump.temperatures.len(), STEPS as usize);
    Ok(())
}
