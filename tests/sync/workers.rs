//! The workers: processes of this test binary, and what each role does.

use std::process::{Child, Command};

use shm::{Error, List, Result, Segment, SegmentOptions, Value};

use crate::{LONG, eventually, fresh};

/// A worker process, killed at the end of the scope if it still runs.
pub(super) struct Worker(pub(super) Child);

impl Worker {
    pub(super) fn start(segment: &Segment, role: &str, number: usize) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "workers::a_worker_plays_its_role",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("SHM_SYNC_ROLE", role)
            .env("SHM_SYNC_SEGMENT", segment.name())
            .env("SHM_SYNC_NUMBER", number.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Worker(child)
    }

    pub(super) fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet waited for.
        unsafe { libc::kill(self.0.id() as libc::pid_t, signal) };
    }

    pub(super) fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.0.wait().unwrap();
    }

    pub(super) fn finish(&mut self) {
        let status = self.0.wait().unwrap();
        assert!(status.success(), "a worker failed: {status}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn die() -> ! {
    // SAFETY: ends this process as a kill from outside would.
    unsafe { libc::raise(libc::SIGKILL) };
    unreachable!("killed")
}

pub(super) fn note(segment: &Segment, key: &str) -> i64 {
    segment.root().get(key).unwrap().and_then(|value| value.as_int()).unwrap_or(0)
}

/// What is counted under a primitive: two words that differ only inside.
pub(super) fn pair_of(segment: &Segment, what: &str) -> List {
    match segment.root().get(what).unwrap() {
        Some(Value::List(list)) => list,
        _ => panic!("the pair of {what} is made by the test"),
    }
}

pub(super) fn pair(segment: &Segment) -> List {
    pair_of(segment, "pair")
}

/// One step under exclusion. Who was not told of a death must find the pair equal.
fn step(pair: &List, owner_died: bool) {
    let [one, two] = [0, 1].map(|index| pair.get_int(index).unwrap().unwrap());
    assert!(owner_died || one == two, "{one} and {two}: somebody was inside, or died unnoticed");
    let next = one.max(two) + 1;
    pair.set_int(0, next).unwrap();
    pair.set_int(1, next).unwrap();
}

/// Takes a primitive, makes a step, gives it back.
pub(super) fn step_under(segment: &Segment, what: &str, pair: &List) -> Result<()> {
    match what {
        "turn" => {
            let turn = segment.turn("x")?;
            let guard = turn.acquire(LONG)?;
            step(pair, guard.owner_died());
        }
        "lock" => {
            let lock = segment.lock("x")?;
            let guard = lock.acquire(LONG)?;
            step(pair, guard.owner_died());
        }
        "rlock" => {
            let lock = segment.rlock("x")?;
            let outer = lock.acquire(LONG)?;
            let _inner = lock.acquire(LONG)?;
            step(pair, outer.owner_died());
        }
        "rwlock" => {
            let lock = segment.rwlock("x")?;
            let reader = lock.read(LONG)?;
            let [one, two] = [0, 1].map(|index| pair.get_int(index).unwrap().unwrap());
            assert_eq!(one, two, "somebody writes while this one reads");
            drop(reader);
            let guard = lock.write(LONG)?;
            step(pair, guard.owner_died());
        }
        "semaphore" => {
            let semaphore = segment.semaphore("x", 1)?;
            let permit = semaphore.acquire(LONG)?;
            step(pair, permit.owner_died());
        }
        _ => panic!("no primitive {what:?}"),
    }
    Ok(())
}

pub(super) fn hold_and_die(segment: &Segment, what: &str) -> Result<()> {
    match what {
        "turn" => std::mem::forget(segment.turn("x")?.acquire(LONG)?),
        "lock" => std::mem::forget(segment.lock("x")?.acquire(LONG)?),
        "rlock" => std::mem::forget(segment.rlock("x")?.acquire(LONG)?),
        "rwlock" => std::mem::forget(segment.rwlock("x")?.write(LONG)?),
        "reader" => std::mem::forget(segment.rwlock("x")?.read(LONG)?),
        "semaphore" => std::mem::forget(segment.semaphore("x", 1)?.acquire(LONG)?),
        _ => panic!("no primitive {what:?}"),
    }
    segment.root().set("held", i64::from(std::process::id()))?;
    die()
}

fn play(role: &str, segment: &Segment, number: usize) -> Result<()> {
    let (role, what) = role.split_once(' ').unwrap_or((role, ""));
    match role {
        "count" => {
            let pair = pair(segment);
            for _ in 0..2_000 {
                step_under(segment, what, &pair)?;
            }
        }
        "die" => hold_and_die(segment, what)?,
        "hold" => {
            let lock = segment.lock("x")?;
            let _guard = lock.acquire(LONG)?;
            segment.root().set("held", i64::from(std::process::id()))?;
            eventually("let go", || note(segment, "let go") == 1);
        }
        "queue" => {
            segment.root().add(format!("comes {number}").as_str(), 1)?;
            let turn = segment.turn("x")?;
            let guard = turn.acquire(LONG)?;
            pair(segment).push(number as i64)?;
            drop(guard);
        }
        "cross" => {
            let names = if number == 0 { ["one", "two"] } else { ["two", "one"] };
            let [first, second] = names.map(|name| segment.lock(name).unwrap());
            let _guard = first.acquire(LONG)?;
            segment.root().add("crossed", 1)?;
            eventually("both hold one", || note(segment, "crossed") == 2);
            match second.acquire(LONG) {
                Err(Error::Deadlock { chain }) => {
                    segment.root().insert("chain", chain)?;
                }
                other => {
                    drop(other?);
                }
            }
        }
        "storm" => {
            let mut random = fastrand::Rng::with_seed(number as u64);
            let progress = format!("progress {number}");
            loop {
                let what = ["turn", "lock", "rlock", "semaphore"][random.usize(..4)];
                // Each has a pair of its own: what one of them guards the others do not.
                step_under(segment, what, &pair_of(segment, what))?;
                segment.root().add(progress.as_str(), 1)?;
            }
        }
        "barrier" => {
            let barrier = segment.barrier("x", 3)?;
            if what == "die" {
                segment.root().set("held", 1)?;
            }
            match barrier.wait(LONG) {
                Err(Error::BrokenBarrier { .. }) => segment.root().add("broken", 1)?,
                other => Value::Int(other? as i64),
            };
        }
        "wait" => {
            let condition = segment.condition("x")?;
            condition.lock().acquire_raw(LONG)?;
            segment.root().add("waiting", 1)?;
            let notified = condition.wait(LONG)?;
            segment.root().add(if notified { "notified" } else { "in vain" }, 1)?;
            condition.lock().release()?;
        }
        "event" => {
            segment.root().add("waiting", 1)?;
            if segment.event("x")?.wait(LONG)? {
                segment.root().add("notified", 1)?;
            }
        }
        _ => panic!("no role {role:?}"),
    }
    Ok(())
}

/// Not a test of its own: what the workers of the other tests run. Without a role it starts one
/// that does nothing, and so shows that workers start.
#[test]
fn a_worker_plays_its_role() {
    let Ok(role) = std::env::var("SHM_SYNC_ROLE") else {
        let segment = fresh();
        segment.event("x").unwrap().set().unwrap();
        Worker::start(&segment, "event", 0).finish();
        assert_eq!(note(&segment, "notified"), 1);
        return;
    };
    let name = std::env::var("SHM_SYNC_SEGMENT").unwrap();
    let number = std::env::var("SHM_SYNC_NUMBER").unwrap().parse().unwrap();
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    play(&role, &segment, number).unwrap();
}
