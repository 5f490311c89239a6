//! Where something is, as a user would write it: `root['book']['bids'][3]`.
//!
//! Each object and leaf remembers who referred to it first and how, so a path is read backwards from
//! there; it is built only for findings. Long ones keep their end, which is where the fault is.

use std::fmt::Write as _;

use crate::cell::{Cell, Kind, Offset, View};
use crate::layout::LEAF_DATA;
use crate::primitive::Ordering;

use super::walk::Walk;

/// Steps of a path that are shown.
const MOST_STEPS: usize = 24;
/// Characters of a key that are shown.
const MOST_CHARACTERS: usize = 40;

/// How something is reached from what refers to it, or from nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A cell of the header.
    Header(&'static str),
    /// An entry of a process's pin table.
    Pinned(u64),
    /// The word of a thread that is removing a pin.
    Unpinning(u64),
    /// The graveyard.
    Dead,
    /// Nothing but other garbage.
    Garbage,
    /// An item of a list or tuple.
    Item(u64),
    /// The key of an entry.
    Key(Cell),
    /// The value of the entry with this key.
    Value(Cell),
    /// A member of a set or frozenset.
    Member(Cell),
    /// A cell of a struct.
    Field(u64),
    /// The lock of an object.
    Lock,
}

impl Walk<'_> {
    /// What lies at an offset: its path, kind and offset.
    pub(super) fn about(&self, at: Offset) -> String {
        let kind = self.found.get(&at).map_or("block", |found| found.reference.kind.name());
        format!("{} ({kind} {at:#x})", self.path(at))
    }

    /// The place of a cell in what lies at `from`.
    pub(super) fn place(&self, from: Offset, step: Step) -> String {
        let step = self.words(from, step);
        if from == 0 { step } else { format!("{}{step}", self.path(from)) }
    }

    /// The path of what was found there.
    pub(super) fn path(&self, at: Offset) -> String {
        let mut steps = Vec::new();
        let mut next = at;
        let mut length = 0_usize;
        let mut first = String::from("?");
        while let Some(found) = self.found.get(&next) {
            if found.from == 0 {
                first = self.words(0, found.step);
                break;
            }
            if length < MOST_STEPS {
                steps.push(self.words(found.from, found.step));
            }
            length += 1;
            next = found.from;
        }
        if length > MOST_STEPS {
            // Writing into a String cannot fail.
            let _ = write!(first, "[... {} steps ...]", length - MOST_STEPS);
        }
        steps.push(first);
        steps.reverse();
        steps.concat()
    }

    fn words(&self, from: Offset, step: Step) -> String {
        match step {
            Step::Header(name) => name.to_owned(),
            Step::Pinned(slot) => format!("pinned by {}", self.process(slot)),
            Step::Unpinning(slot) => format!("being unpinned by thread slot {slot}"),
            Step::Dead => "graveyard".to_owned(),
            Step::Garbage => "garbage".to_owned(),
            Step::Item(index) => format!("[{index}]"),
            Step::Value(key) => format!("[{}]", self.show(key)),
            Step::Key(key) => format!(" key {}", self.show(key)),
            Step::Member(key) => format!(" member {}", self.show(key)),
            Step::Lock => " lock".to_owned(),
            Step::Field(index) => self
                .field_name(from, index)
                .map_or_else(|| format!(" cell {index}"), |name| format!(".{name}")),
        }
    }

    /// Who a process slot is.
    pub(super) fn process(&self, slot: u64) -> String {
        let at = self.memory.geometry.process_at(slot);
        let pid = self.memory.meta(at).map_or(0, |word| word.load(Ordering::Relaxed) >> 32);
        let name = self.memory.process_name(slot).unwrap_or_default();
        format!("process {pid} ({})", cut(&name))
    }

    /// A key in Python's notation, cut where it is long.
    pub(super) fn show(&self, key: Cell) -> String {
        match key.view() {
            Some(View::None) => "None".to_owned(),
            Some(View::Bool(flag)) => if flag { "True" } else { "False" }.to_owned(),
            Some(View::Int(number)) => number.to_string(),
            Some(View::Float(number)) => format!("{number:?}"),
            Some(View::Str(text)) => quoted(text.as_slice()),
            Some(View::Bytes(bytes)) => format!("b'{}'", bytes.as_slice().escape_ascii()),
            Some(View::EmptyTuple) => "()".to_owned(),
            Some(View::Ref(found)) if found.kind == Kind::Str => {
                // As much as is shown, however long the text says it is.
                let len = self.memory.load(found.at + 8).unwrap_or(0).min(4 * 48) as usize;
                let words = self.memory.words(found.at + LEAF_DATA, len.div_ceil(8) as u64);
                let mut content = Vec::new();
                for word in words.unwrap_or_default() {
                    content.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
                }
                content.truncate(len);
                quoted(&content)
            }
            Some(View::Ref(found)) => format!("<{} {:#x}>", found.kind.name(), found.at),
            Some(View::Unset | View::Tombstone) | None => format!("<{:#x}>", key.0),
        }
    }
}

fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    format!("'{}'", cut(&text).replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The start of a text, without what would break a line.
fn cut(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(MOST_CHARACTERS).map(plain).collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}
