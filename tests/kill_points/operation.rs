//! What is killed: a state of a segment, a step on it, and what a survivor must be able to do.
//!
//! An operation joins by naming a set-up and a step. The two allowed outcomes are not written down:
//! they are what the same set-up holds before and after the step when nobody disturbs it, so a
//! table of states crossed with a table of steps is all that a container needs.

use std::path::Path;

use shm::layout::Geometry;
use shm::{Lifetime, Result, Segment, SegmentOptions, Value};

const SIZE: u64 = 2 << 20;
const PROCESSES: u64 = 4;
const THREADS: u64 = 4;

/// What a set-up leaves to the step: kept alive in the process that is killed.
pub(crate) struct Subject {
    pub(crate) segment: Option<Segment>,
    pub(crate) value: Value,
}

type Prepare = Box<dyn Fn(&Path) -> Result<Subject>>;
type Step = Box<dyn Fn(&Path, &Subject) -> Result<()>>;

/// One operation and the state that it meets.
pub(crate) struct Operation {
    /// "what it does | what it meets".
    pub(crate) name: String,
    /// Builds the state under a path.
    pub(crate) prepare: Prepare,
    /// The operation that is killed; an error means that it was refused and has changed nothing.
    pub(crate) step: Step,
    /// What a survivor does besides, which must work.
    pub(crate) survivor: fn(&Segment) -> Result<()>,
    /// The state is damaged, and the step mends it: a survivor mends it before it looks.
    pub(crate) damaged: bool,
    /// Content that is allowed in between, of a call that is documented to be two operations.
    pub(crate) between: Option<&'static str>,
}

/// A state that steps meet: fills the root; what it returns is the object that the step works on.
pub(crate) type State = fn(&Segment) -> Result<Value>;
/// A step on the object that was prepared.
pub(crate) type Change = fn(&Segment, &Value) -> Result<()>;

impl Operation {
    /// A step inside of an attached segment.
    pub(crate) fn new(name: impl Into<String>, state: State, change: Change) -> Self {
        Operation::new_with(name, state, change)
    }

    /// The same, of a step that is made for the occasion.
    pub(crate) fn new_with(
        name: impl Into<String>,
        state: State,
        change: impl Fn(&Segment, &Value) -> Result<()> + 'static,
    ) -> Self {
        Operation::at_path(
            name,
            move |path| {
                let segment = Segment::create("", options(path))?;
                let value = state(&segment)?;
                Ok(Subject { segment: Some(segment), value })
            },
            move |_, subject| match &subject.segment {
                Some(segment) => change(segment, &subject.value),
                None => Ok(()),
            },
        )
    }

    /// A step that makes, enters, leaves or removes segments.
    pub(crate) fn at_path(
        name: impl Into<String>,
        prepare: impl Fn(&Path) -> Result<Subject> + 'static,
        step: impl Fn(&Path, &Subject) -> Result<()> + 'static,
    ) -> Self {
        Operation {
            name: name.into(),
            prepare: Box::new(prepare),
            step: Box::new(step),
            survivor: |_| Ok(()),
            damaged: false,
            between: None,
        }
    }

    /// The same, with something that a survivor must be able to do.
    pub(crate) fn surviving(self, survivor: fn(&Segment) -> Result<()>) -> Self {
        Operation { survivor, ..self }
    }

    /// The same, on a segment that is damaged until the step is done.
    pub(crate) fn on_damage(self) -> Self {
        Operation { damaged: true, ..self }
    }

    /// The same, by way of a third content.
    pub(crate) fn by_way_of(self, content: &'static str) -> Self {
        Operation { between: Some(content), ..self }
    }
}

/// Every step in every state.
pub(crate) fn cross(states: &[(&str, State)], steps: &[(&str, Change)]) -> Vec<Operation> {
    let pairs = steps.iter().flat_map(|step| states.iter().map(move |state| (step, state)));
    pairs
        .map(|((step, change), (state, prepare))| {
            Operation::new(format!("{step} | {state}"), *prepare, *change)
        })
        .collect()
}

/// How every segment of this test is made: small, so that images are.
pub(crate) fn options(path: &Path) -> SegmentOptions {
    SegmentOptions::new()
        .path(path)
        .lifetime(Lifetime::Last)
        .size(SIZE)
        .max_processes(PROCESSES)
        .max_threads(THREADS)
}

/// Where its regions lie.
pub(crate) fn geometry() -> Geometry {
    Geometry::new(SIZE, PROCESSES, THREADS)
}
