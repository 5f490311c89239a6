//! Segments and participants: coming, going, taking over from the dead; turns and messages.

#![allow(unsafe_code, reason = "fork, for a participant that dies")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use shm::layout::{header, thread};
use shm::{Error, Lifetime, Result, Segment, SegmentOptions, Value};

use super::{not_a, subject, text};
use crate::corpse;
use crate::operation::{self, Operation, Subject, options};

pub(super) fn attach(path: &Path) -> Result<Segment> {
    Segment::attach("", SegmentOptions::new().path(path))
}

/// No segment of this process's.
pub(super) const NO_SEGMENT: fn(&Path) -> Result<Subject> =
    |_| Ok(Subject { segment: None, value: Value::None });

fn filled(path: &Path) -> Result<Segment> {
    let segment = Segment::create("", options(path))?;
    segment.root().insert("x", segment.list_of((0..5).map(text))?)?;
    Ok(segment)
}

/// A segment that this process made.
fn own(path: &Path) -> Result<Subject> {
    Ok(Subject { segment: Some(filled(path)?), value: Value::None })
}

/// A segment with handles of this process: pins of many objects.
fn own_with_pins(path: &Path) -> Result<Subject> {
    let segment = filled(path)?;
    let held: Result<Vec<Value>> =
        (0..40).map(|number| segment.list_of([text(number)]).map(Value::from)).collect();
    Ok(Subject { segment: Some(segment), value: Value::Tuple(held?) })
}

/// A segment with a list of objects, which nobody pins.
fn own_with_objects(path: &Path) -> Result<Subject> {
    let segment = Segment::create("", options(path))?;
    let objects: Result<Vec<Value>> =
        (0..40).map(|number| segment.list_of([number]).map(Value::from)).collect();
    segment.root().insert("x", segment.list_of(objects?)?)?;
    Ok(Subject { segment: Some(segment), value: Value::None })
}

/// Runs something in a process that is killed afterwards, still attached.
pub(super) fn in_a_dead_process(work: impl FnOnce()) {
    // SAFETY: the child runs `work` and kills itself.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        work();
        // SAFETY: ends this process as a kill from outside would.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
}

/// A segment that only a dead process had, which pinned objects that nothing refers to.
fn of_the_dead(path: &Path) -> Result<Subject> {
    let path = path.to_owned();
    in_a_dead_process(move || {
        let Ok(segment) = filled(&path) else { return };
        let pinned: Vec<_> = (0..5).map(|number| segment.list_of([text(number)])).collect();
        std::mem::forget((segment, pinned));
    });
    NO_SEGMENT(Path::new(""))
}

/// A segment of this process, in which another one died with pins.
fn with_a_dead_peer(path: &Path) -> Result<Subject> {
    let segment = filled(path)?;
    let other = path.to_owned();
    in_a_dead_process(move || {
        let Ok(segment) = attach(&other) else { return };
        let pinned: Vec<_> = (0..5).map(|number| segment.list_of([text(number)])).collect();
        std::mem::forget((segment, pinned));
    });
    Ok(Subject { segment: Some(segment), value: Value::None })
}

/// The same, and the dead one was next in line for the writer lock.
fn with_a_dead_next(path: &Path) -> Result<Subject> {
    let subject = with_a_dead_peer(path)?;
    let geometry = operation::geometry();
    let io = |source| Error::Io { what: "put a token into the segment".to_owned(), source };
    let file = File::options().read(true).write(true).open(path).map_err(io)?;
    for slot in 0..geometry.threads {
        let mut claim = [0; 8];
        file.read_exact_at(&mut claim, geometry.thread_at(slot) + thread::CLAIM).map_err(io)?;
        let claim = u64::from_le_bytes(claim);
        // The second process's, which is the dead one.
        if (claim >> 16) & 0xFFFF == 2 {
            let token = (claim >> 32 << 32) | (slot + 1);
            file.write_all_at(&token.to_le_bytes(), header::LOCK_NEXT).map_err(io)?;
        }
    }
    Ok(subject)
}

/// The segment of the subject, which the step uses and nobody closes.
pub(super) fn of(subject: &Subject) -> Result<&Segment> {
    subject.segment.as_ref().ok_or_else(|| not_a("segment", &Value::None))
}

pub(super) fn stay(segment: Segment) {
    std::mem::forget(segment);
}

/// Everybody can have the turn again.
fn take_turn(segment: &Segment) -> Result<()> {
    segment.turn("t")?.acquire(Some(Duration::from_secs(5))).map(drop)
}

fn create(path: &Path, lifetime: Lifetime) -> Result<()> {
    Segment::create("", options(path).lifetime(lifetime)).map(stay)
}

fn segments() -> Vec<Operation> {
    vec![
        Operation::at_path("create | no segment", NO_SEGMENT, |path, _| {
            create(path, Lifetime::Last)
        }),
        // The old one goes before the new one comes.
        Operation::at_path("create | a segment of the dead", of_the_dead, |path, _| {
            create(path, Lifetime::Last)
        })
        .by_way_of(corpse::ABSENT),
        Operation::at_path("create | a live segment", own, |path, _| create(path, Lifetime::Last)),
        Operation::at_path("open | no segment", NO_SEGMENT, |path, _| {
            Segment::open("", options(path)).map(stay)
        }),
        Operation::at_path("open | a live segment", own, |path, _| {
            Segment::open("", options(path)).map(stay)
        }),
        Operation::at_path("attach | a live segment", own, |path, _| attach(path).map(stay)),
        Operation::at_path("attach | a dead peer", with_a_dead_peer, |path, _| {
            attach(path).map(stay)
        }),
        Operation::at_path("attach and write | a live segment", own, |path, _| {
            let segment = attach(path)?;
            segment.root().insert("y", text(1))?;
            stay(segment);
            Ok(())
        }),
        Operation::at_path("close, not the last | two attachments", own, |path, _| {
            // Closing a second attachment is what another process's detach is.
            let segment = attach(path)?;
            let _pinned = segment.root();
            segment.close()
        }),
        Operation::at_path("pin objects in a second attachment | 40 objects", own_with_objects, {
            |path, _| {
                let segment = attach(path)?;
                if let Some(Value::List(list)) = segment.root().get("x")? {
                    std::mem::forget(list.to_vec()?);
                }
                stay(segment);
                Ok(())
            }
        }),
        Operation::at_path("close, the last | pins", own_with_pins, |_, subject| {
            of(subject)?.close()
        }),
        Operation::at_path("unlink | a live segment", own, |_, subject| {
            of(subject)?.unlink().map(drop)
        }),
        Operation::at_path("reap | a dead peer", with_a_dead_peer, |_, subject| {
            of(subject)?.reap().map(drop)
        }),
        Operation::at_path("hand the lock over | a dead next", with_a_dead_next, |_, subject| {
            // A change that nobody sees, whose end gives the lock to the dead one.
            drop(of(subject)?.list_of([text(1)])?);
            of(subject)?.root().remove("x").map(drop)
        }),
        Operation::at_path("write | a dead peer", with_a_dead_peer, |_, subject| {
            of(subject)?.root().insert("y", text(1)).map(drop)
        }),
    ]
}

fn with_message(segment: &Segment) -> Result<Value> {
    segment.put_message(segment.list_of([text(1)])?)?;
    subject(segment, 0)
}

fn with_turn(segment: &Segment) -> Result<Value> {
    segment.turn("t")?;
    subject(segment, 0)
}

/// Nothing that is not a message is in the queue, and it works.
fn drain_messages(segment: &Segment) -> Result<()> {
    while segment.has_messages()? {
        let message = segment.take_message(Some(Duration::ZERO))?;
        if !matches!(&message, Value::List(_) | Value::Str(_)) {
            return Err(not_a("message", &message));
        }
    }
    segment.put_message(text(3))?;
    segment.take_message(Some(Duration::ZERO)).map(drop)
}

/// Turns and messages do not show in the root: the step marks there that it is done.
fn hand_overs() -> Vec<Operation> {
    vec![
        Operation::new(
            "put a message | none",
            |s| subject(s, 0),
            |segment, _| {
                segment.put_message(segment.list_of([text(2)])?)?;
                segment.root().set("x", 1)
            },
        )
        .surviving(drain_messages),
        Operation::new("take a message | one", with_message, |segment, _| {
            let message = segment.take_message(Some(Duration::ZERO))?;
            segment.root().insert("x", message).map(drop)
        })
        .surviving(drain_messages),
        Operation::new(
            "make a turn | none",
            |s| subject(s, 0),
            |segment, _| {
                segment.turn("t")?;
                segment.root().set("x", 1)
            },
        )
        .surviving(take_turn),
        Operation::new("take a turn | free", with_turn, |segment, _| {
            let turn = segment.turn("t")?;
            std::mem::forget(turn.acquire(None)?);
            segment.root().set("x", 1)
        })
        .surviving(take_turn),
        Operation::new("take a turn and pass it on | free", with_turn, |segment, _| {
            let turn = segment.turn("t")?;
            drop(turn.acquire(None)?);
            segment.root().set("x", 1)
        })
        .surviving(take_turn),
    ]
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = segments();
    all.extend(hand_overs());
    all
}
