//! True interprocess shared memory: nested Python-style objects and typed Rust structs in one
//! crash-safe segment, which Rust and Python programs use at the same time.
//!
//! A [`Segment`] is a file in `/dev/shm` (or elsewhere) that processes map. In it live [`List`]s,
//! [`Dict`]s, [`Set`]s and [`ByteArray`]s of [`Value`]s at any depth, [`Array`]s of numbers, which
//! Python sees as numpy's, and structs with `#[derive(Shared)]`. Everything is changed in place: when a call returns, every process sees
//! what it did, and when a process is killed in the middle of one, the call has happened wholly or
//! not at all.
//!
//! ```
//! use shm::{Dict, List, Segment, SegmentOptions, Shared, Value};
//!
//! #[derive(Shared, Debug, Clone, PartialEq)]
//! #[shared(name = "plant.Sensor")]
//! struct Sensor {
//!     id: u64,
//!     temperature: f64,
//!     position: [f32; 3],
//!     label: String,
//!     calibration: Option<Calibration>,
//! }
//!
//! #[derive(Shared, Debug, Clone, PartialEq)]
//! struct Calibration {
//!     offset: f64,
//! }
//!
//! fn main() -> Result<(), shm::Error> {
//!     // Other processes would say `Segment::attach("plant", ...)`; this one makes up a name.
//!     let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?;
//!     let root: Dict = segment.root();
//!
//!     // Python's objects.
//!     root.insert("n", 0_i64)?;
//!     let list: List = segment.list([1.into(), "two".into(), 3.5.into()])?;
//!     root.insert("list", &list)?;
//!     list.push(("a", "tuple"))?;
//!     assert_eq!(root.add("n", 1)?, Value::from(1));
//!
//!     // Numbers in any number of dimensions, changed where they are.
//!     let grid = segment.array::<f64>(&[3, 4])?;
//!     root.insert("grid", &grid)?;
//!     grid.set(grid.index(&[1, 2])?, 2.5)?;
//!     assert_eq!(grid.to_vec::<f64>()?.iter().sum::<f64>(), 2.5);
//!
//!     // Typed structs: offsets are constants, a getter is one validated read.
//!     let sensor: SensorRef = segment.alloc(Sensor {
//!         id: 7,
//!         temperature: 19.5,
//!         position: [0.0, 1.0, 2.0],
//!         label: "hall".into(),
//!         calibration: None,
//!     })?;
//!     root.insert("sensor", &sensor)?;
//!
//!     let sensor = root.get_as::<Sensor>("sensor")?.expect("it was inserted above");
//!     sensor.set_temperature(sensor.temperature() + 0.5)?;
//!     assert_eq!(sensor.fetch_add_id(1)?, 7);
//!     sensor.update(|s| {
//!         s.label.push_str(" 2");
//!         s.calibration = Some(Calibration { offset: 0.25 });
//!     })?;
//!     let copy: Sensor = sensor.load()?;
//!     assert_eq!((copy.id, copy.temperature, copy.label.as_str()), (8, 20.0, "hall 2"));
//!     Ok(())
//! }
//! ```
//!
//! What holds for every operation: it is atomic whichever process is killed at whichever
//! instruction; it is visible when it returns; a dead lock holder is recovered by the next one who
//! asks; no content of a segment, however wrong, makes safe code crash; a full segment is an error
//! before anything has changed; what nothing refers to is freed.

pub use shm_core::*;
pub use shm_derive::Shared;

// The README's program is compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
