//! Locks, turns and the like: made, taken, given back and handed over, killed at each instruction.
//!
//! What they hold does not show in the root: the step marks there that it is done. A survivor must
//! get what the dead one had, and everybody must be able to go on with it.

#![allow(unsafe_code, reason = "fork, for one who waits in line")]

use std::path::Path;
use std::time::Duration;

use shm::{RLock, Result, Segment, Value};

use super::subject;
use crate::operation::{Operation, Subject, options};

const SOON: Option<Duration> = Some(Duration::from_secs(5));

fn nothing(segment: &Segment) -> Result<Value> {
    subject(segment, 0)
}

/// Every primitive is there, and free.
fn made(segment: &Segment) -> Result<Value> {
    use_everything(segment)?;
    segment.root().clear()?;
    subject(segment, 0)
}

/// Everybody can have everything again, and it works.
fn use_everything(segment: &Segment) -> Result<()> {
    drop(segment.turn("s")?.acquire(SOON)?);
    drop(segment.lock("s")?.acquire(SOON)?);
    drop(segment.rlock("s")?.acquire(SOON)?);
    drop(segment.rwlock("s")?.write(SOON)?);
    drop(segment.rwlock("s")?.read(SOON)?);
    drop(segment.semaphore("s", 2)?.acquire(SOON)?);
    drop(segment.semaphore("s", 2)?.acquire(SOON)?);
    segment.event("s")?.set()?;
    segment.event("s")?.wait(SOON)?;
    let condition = segment.condition("s")?;
    condition.lock().acquire_raw(SOON)?;
    condition.notify_all()?;
    condition.lock().release()?;
    let barrier = segment.barrier("s", 1)?;
    barrier.reset()?;
    barrier.wait(SOON).map(drop)
}

/// A step on the primitives that are there; the mark in the root comes last.
fn step(name: &str, change: fn(&Segment) -> Result<()>) -> Operation {
    let prepare = |path: &Path| {
        let segment = Segment::create("", options(path))?;
        let value = made(&segment)?;
        Ok(Subject { segment: Some(segment), value })
    };
    let step = move |_: &Path, subject: &Subject| {
        let Some(segment) = &subject.segment else { return Ok(()) };
        change(segment)?;
        segment.root().set("x", 1)
    };
    Operation::at_path(name, prepare, step).surviving(use_everything)
}

/// A step while another process waits in line, already dead when the step comes to it or alive:
/// its place is taken before the walk begins.
fn with_a_dead_waiter(segment: &Segment) -> Result<Value> {
    made(segment)?;
    let turn = segment.turn("s")?;
    let guard = turn.acquire(SOON)?;
    // SAFETY: the child stands in line and kills itself.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let _ = turn.stand();
        // SAFETY: ends this process as a kill from outside would.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    std::mem::forget(guard);
    subject(segment, 0)
}

fn container_lock(container: &Value) -> Result<RLock> {
    match container {
        Value::Dict(dict) => dict.lock(),
        Value::List(list) => list.lock(),
        _ => unreachable!("these states have dicts and lists"),
    }
}

fn a_dict(segment: &Segment) -> Result<Value> {
    let dict = segment.dict([("n", 0)])?;
    segment.root().set("dict", &dict)?;
    Ok(dict.into())
}

fn a_locked_dict(segment: &Segment) -> Result<Value> {
    let dict = a_dict(segment)?;
    drop(container_lock(&dict)?.acquire(SOON)?);
    // No handle, so that nothing but its cell keeps it.
    Ok(dict)
}

/// The same, and no handle.
fn a_locked_dict_alone(segment: &Segment) -> Result<Value> {
    a_locked_dict(segment).map(|_| Value::None)
}

/// Two lists with locks that refer to each other, and to which nothing else refers.
fn a_locked_circle(segment: &Segment) -> Result<Value> {
    let lists = [segment.list([])?, segment.list([])?];
    for (list, other) in lists.iter().zip(lists.iter().rev()) {
        list.push(other)?;
        drop(list.lock()?.acquire(SOON)?);
    }
    Ok(Value::None)
}

/// Everybody can have the lock, and write.
fn use_containers(segment: &Segment) -> Result<()> {
    let Some(Value::Dict(dict)) = segment.root().get("dict")? else { return Ok(()) };
    let writes = || dict.get("n").and_then(|n| dict.set("n", n.unwrap_or_default()));
    writes()?;
    let lock = dict.lock()?;
    let _held = lock.acquire(SOON)?;
    writes()
}

/// Locks of containers, and what becomes of them.
fn containers() -> Vec<Operation> {
    vec![
        Operation::new("make a container's lock | none", a_dict, |segment, dict| {
            container_lock(dict)?;
            segment.root().set("x", 1)
        })
        .surviving(use_containers),
        Operation::new("take a container's lock | free", a_locked_dict, |segment, dict| {
            std::mem::forget(container_lock(dict)?.acquire(SOON)?);
            segment.root().set("x", 1)
        })
        .surviving(use_containers),
        Operation::new("write under a container's lock | free", a_locked_dict, |_, dict| {
            let lock = container_lock(dict)?;
            let _held = lock.acquire(SOON)?;
            if let Value::Dict(dict) = dict { dict.set("n", "a text of two words") } else { Ok(()) }
        })
        .surviving(use_containers),
        Operation::new("drop a container | with a lock", a_locked_dict_alone, |segment, _| {
            segment.root().remove("dict").map(drop)
        }),
        Operation::new("free a container by hand | with a lock", a_locked_dict, |segment, dict| {
            segment.free(dict)
        }),
        Operation::new("collect a circle | with locks", a_locked_circle, |segment, _| {
            segment.gc().map(drop)
        }),
    ]
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = containers();
    all.extend([
        Operation::new("make a lock | none", nothing, |segment, _| {
            segment.lock("s")?;
            segment.root().set("x", 1)
        })
        .surviving(use_everything),
        Operation::new("make a condition | none", nothing, |segment, _| {
            segment.condition("s")?;
            segment.root().set("x", 1)
        })
        .surviving(use_everything),
        Operation::new("pass a turn on | a dead waiter", with_a_dead_waiter, |segment, _| {
            segment.turn("s")?.release()?;
            segment.root().set("x", 1)
        })
        .surviving(use_everything),
        Operation::new("take a turn | behind a dead waiter", with_a_dead_waiter, |segment, _| {
            let turn = segment.turn("s")?;
            turn.release()?;
            std::mem::forget(turn.acquire(SOON)?);
            segment.root().set("x", 1)
        })
        .surviving(use_everything),
    ]);
    all.extend([
        step("take a lock | free", |segment| {
            std::mem::forget(segment.lock("s")?.acquire(SOON)?);
            Ok(())
        }),
        step("take a lock and give it back | free", |segment| {
            segment.lock("s")?.acquire(SOON).map(drop)
        }),
        step("take an rlock twice and give it back | free", |segment| {
            let lock = segment.rlock("s")?;
            let outer = lock.acquire(SOON)?;
            drop(lock.acquire(SOON)?);
            drop(outer);
            Ok(())
        }),
        step("write under a rwlock | free", |segment| segment.rwlock("s")?.write(SOON).map(drop)),
        step("read under a rwlock | free", |segment| segment.rwlock("s")?.read(SOON).map(drop)),
        step("take a permit and give it back | two", |segment| {
            segment.semaphore("s", 2)?.acquire(SOON).map(drop)
        }),
        step("take both permits | two", |segment| {
            let semaphore = segment.semaphore("s", 2)?;
            std::mem::forget(semaphore.acquire(SOON)?);
            std::mem::forget(semaphore.acquire(SOON)?);
            Ok(())
        }),
        step("give three permits back at once | two", |segment| {
            let semaphore = segment.semaphore("s", 2)?;
            std::mem::forget(semaphore.acquire(SOON)?);
            std::mem::forget(semaphore.acquire(SOON)?);
            semaphore.release(3)?;
            std::mem::forget(semaphore.acquire(SOON)?);
            Ok(())
        }),
        step("clear and set an event | set", |segment| {
            let event = segment.event("s")?;
            event.clear()?;
            event.set()
        }),
        step("wait for a condition in vain | nobody", |segment| {
            let condition = segment.condition("s")?;
            condition.lock().acquire_raw(SOON)?;
            condition.wait(Some(Duration::ZERO))?;
            condition.lock().release()
        }),
        step("stand in line and give up | a turn that is held", |segment| {
            let turn = segment.turn("s")?;
            let guard = turn.acquire(SOON)?;
            let standing = turn.stand()?;
            turn.give_up(&standing)?;
            drop(guard);
            Ok(())
        }),
        step("hand a turn over to the next in line | one waits", |segment| {
            let turn = segment.turn("s")?;
            let guard = turn.acquire(SOON)?;
            let mut next = turn.stand()?;
            drop(guard);
            turn.poll(&mut next, false)?;
            turn.release()
        }),
        step("pass a barrier of one | whole", |segment| {
            segment.barrier("s", 1)?.wait(SOON).map(drop)
        }),
        step("abort and reset a barrier | whole", |segment| {
            let barrier = segment.barrier("s", 1)?;
            barrier.abort()?;
            barrier.reset()
        }),
    ]);
    all
}
