//! What working together costs: hand-overs, contended counters, fairness, what blocked waiters use.
//!
//! `cargo bench --bench sync`; docs/bench.md says how to read it. Workers are this program again. A
//! turn between two processes is compared with the least that two processors can do: a cache line
//! that goes to and fro, measured in the same rounds.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::unchecked_time_subtraction,
    reason = "a failed measurement is none; figures are rounded anyway"
)]

use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shm::{Result, Segment, SegmentOptions, Value};

/// Short rounds, many of them: on a busy machine some are not disturbed.
const TRIPS: u64 = 2_000;
const PING_PONG: Duration = Duration::from_secs(15);
/// How long workers contend for something.
const CONTEND: Duration = Duration::from_millis(700);
const FAIR: usize = 8;
/// Steps between two looks at the clock.
const BATCH: usize = 64;
const TEXT: &str = "a text of forty bytes, as they often are";

#[repr(align(128))]
struct Line(AtomicU64);

/// A round trip of one word between two threads, in nanoseconds.
fn raw_round_trip() -> f64 {
    static BALL: Line = Line(AtomicU64::new(0));
    BALL.0.store(0, Ordering::Release);
    let play = |mine: u64| {
        for trip in 0..TRIPS {
            while BALL.0.load(Ordering::Acquire) != trip * 2 + mine {
                std::hint::spin_loop();
            }
            BALL.0.store(trip * 2 + mine + 1, Ordering::Release);
        }
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    started.elapsed().as_nanos() as f64 / TRIPS as f64
}

struct Worker(Child);

impl Worker {
    fn start(segment: &Segment, role: &str, number: usize) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([role, segment.name(), &number.to_string()])
            .spawn()
            .unwrap();
        Worker(child)
    }

    /// Processor time that it used so far.
    fn used(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields = text.rsplit_once(')').unwrap().1.split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

fn number(segment: &Segment, key: &str) -> i64 {
    segment.root().get(key).unwrap().and_then(|value| value.as_int()).unwrap_or(0)
}

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64
}

/// When the first turn was asked for, and when the last one was over.
fn take_turns(segment: &Segment) -> Result<[i64; 2]> {
    let turn = segment.turn("x")?;
    let start = now();
    for _ in 0..TRIPS {
        drop(turn.acquire(None)?);
    }
    Ok([start, now()])
}

fn work(role: &str, segment: &Segment, own: usize) -> Result<()> {
    let root = segment.root();
    let start = segment.event("start")?;
    match role {
        "turns" => {
            let both = segment.barrier("both", 2)?;
            let Some(Value::List(times)) = root.get("times")? else { return Ok(()) };
            loop {
                both.wait(None)?;
                let [start, end] = take_turns(segment)?;
                times.set_int(0, start)?;
                times.set_int(1, end)?;
                both.wait(None)?;
            }
        }
        "count" | "add" | "texts" | "ends" | "keys" | "members" => {
            let lock = segment.lock("x")?;
            let Some(Value::List(list)) = root.get("list")? else { return Ok(()) };
            let texts = segment.list_of((0..1000).map(|_| TEXT))?;
            let dict = segment.dict((0..100).map(|key| (key, TEXT)))?;
            let set = segment.set(0..100)?;
            let keys: Vec<String> = (0..BATCH).map(|key| format!("key number {key}")).collect();
            root.add("ready", 1)?;
            start.wait(None)?;
            let (mut steps, mut longest) = (0_i64, Duration::ZERO);
            let started = Instant::now();
            let mut last = started;
            while last - started < CONTEND {
                for step in 0..BATCH {
                    match role {
                        "count" => {
                            let _guard = lock.acquire(None)?;
                            list.set_int(0, list.get_int(0)?.unwrap_or(0) + 1)?;
                        }
                        "add" => list.add(0, 1).map(drop)?,
                        "texts" => texts.set(step, TEXT)?,
                        "ends" if step % 2 == 0 => texts.push(TEXT)?,
                        "ends" => drop(texts.pop()?),
                        "keys" if step % 2 == 0 => dict.set(keys[step].as_str(), TEXT)?,
                        "keys" => drop(dict.remove(keys[step - 1].as_str())?),
                        _ if step % 2 == 0 => drop(set.add(keys[step].as_str())?),
                        _ => drop(set.remove(keys[step - 1].as_str())?),
                    }
                }
                steps += BATCH as i64;
                let now = Instant::now();
                longest = longest.max(now - last);
                last = now;
            }
            root.insert(format!("steps {own}").as_str(), steps)?;
            root.insert(format!("longest {own}").as_str(), longest.as_micros() as i64)?;
        }
        "fair" => {
            let turn = segment.turn("x")?;
            root.add("ready", 1)?;
            start.wait(None)?;
            let (mut turns, end) = (0_i64, Instant::now() + Duration::from_secs(10));
            while Instant::now() < end {
                let _guard = turn.acquire(None)?;
                turns += 1;
            }
            root.insert(format!("turns {own}").as_str(), turns)?;
        }
        _ => {
            root.add("ready", 1)?;
            segment.lock("x")?.acquire_raw(None)?;
        }
    }
    Ok(())
}

fn fresh() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

/// Only rounds in which both were at it for nine tenths of the time count: one alone is faster.
fn ping_pong() {
    let segment = fresh();
    let times = segment.list_of([0, 0]).unwrap();
    segment.root().insert("times", &times).unwrap();
    let both = segment.barrier("both", 2).unwrap();
    let _other = Worker::start(&segment, "turns", 0);
    let (mut raws, mut turns) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < PING_PONG {
        raws.push(raw_round_trip());
        both.wait(None).unwrap();
        let [start, end] = take_turns(&segment).unwrap();
        both.wait(None).unwrap();
        let [other_start, other_end] = [0, 1].map(|index| times.get_int(index).unwrap().unwrap());
        let together = end.min(other_end) - start.max(other_start);
        let whole = end.max(other_end) - start.min(other_start);
        if together * 10 >= whole * 9 {
            turns.push(whole as f64 / TRIPS as f64);
        }
    }
    println!("{} rounds of {TRIPS} round trips, {} of them together", raws.len(), turns.len());
    raws.sort_by(f64::total_cmp);
    turns.sort_by(f64::total_cmp);
    if let ([raw, ..], [turn, ..]) = (raws.as_slice(), turns.as_slice()) {
        let [raw_tenth, turn_tenth] = [raws[raws.len() / 10], turns[turns.len() / 10]];
        println!(
            "a cache line to and fro between two threads    {raw:6.0} ns, tenth {raw_tenth:.0}"
        );
        println!(
            "a turn to and fro between two processes        {turn:6.0} ns, tenth {turn_tenth:.0}"
        );
        println!(
            "  ratio of the best {:.2}x, of the tenths {:.2}x",
            turn / raw,
            turn_tenth / raw_tenth
        );
    }
}

fn alone() {
    let segment = fresh();
    let (turn, lock) = (segment.turn("x").unwrap(), segment.lock("x").unwrap());
    for (what, taken) in [("turn", 0), ("lock", 1)] {
        let started = Instant::now();
        for _ in 0..TRIPS * 1000 {
            if taken == 0 {
                drop(turn.acquire(None).unwrap());
            } else {
                drop(lock.acquire(None).unwrap());
            }
        }
        let each = started.elapsed().as_nanos() as f64 / (TRIPS * 1000) as f64;
        println!("{what}, taken and given back, nobody else               {each:8.1} ns");
    }
}

/// Starts workers, lets them all go at once, and waits for their ends.
fn run_all(segment: &Segment, role: &str, workers: usize) {
    let mut all: Vec<_> = (0..workers).map(|own| Worker::start(segment, role, own)).collect();
    until(|| number(segment, "ready") == workers as i64);
    segment.event("start").unwrap().set().unwrap();
    for worker in &mut all {
        assert!(worker.0.wait().unwrap().success());
    }
}

/// Workers that do nothing else but change the segment, each as often as it can.
fn contended() {
    let all = [
        ("add", "list.add to one word"),
        ("texts", "a 40-byte text replaced, in a list each"),
        ("ends", "a 40-byte text appended or popped, in a list each"),
        ("keys", "a text key and text set or removed, in a dict each"),
        ("members", "a text added or removed, in a set each"),
        ("count", "get and set under a lock"),
    ];
    for (role, what) in all {
        for workers in [1, 2, 4, FAIR] {
            let segment = fresh();
            segment.root().insert("list", segment.list_of([0]).unwrap()).unwrap();
            run_all(&segment, role, workers);
            let of_each = |key: &str| -> Vec<i64> {
                (0..workers).map(|own| number(&segment, &format!("{key} {own}"))).collect()
            };
            let steps = of_each("steps");
            let sum: i64 = steps.iter().sum();
            if ["add", "count"].contains(&role) {
                let Some(Value::List(list)) = segment.root().get("list").unwrap() else { return };
                assert_eq!(list.get_int(0).unwrap(), Some(sum));
            }
            let least = steps.iter().min().map_or(0.0, |least| *least as f64 / sum as f64);
            let longest = of_each("longest").into_iter().max().unwrap_or(0) as f64 / 1000.0;
            println!(
                "{what}, {workers} processes: {:5.1} million a second; the least got {:.2} of its \
                 share, {BATCH} took {longest:.1} ms at most",
                sum as f64 / CONTEND.as_secs_f64() / 1e6,
                least * workers as f64,
            );
        }
    }
}

fn fairness() {
    let segment = fresh();
    run_all(&segment, "fair", FAIR);
    let turns: Vec<i64> = (0..FAIR).map(|own| number(&segment, &format!("turns {own}"))).collect();
    let sum: i64 = turns.iter().sum();
    let least = turns.iter().min().map_or(0.0, |least| *least as f64 * FAIR as f64 / sum as f64);
    println!("{FAIR} processes, 10 s of turns: {sum} turns, the least got {least:.2} of its share");
}

fn blocked() {
    let segment = fresh();
    let lock = segment.lock("x").unwrap();
    let guard = lock.acquire(None).unwrap();
    let all: Vec<_> = (0..FAIR).map(|own| Worker::start(&segment, "block", own)).collect();
    until(|| number(&segment, "ready") == FAIR as i64);
    let used = || all.iter().map(Worker::used).sum::<Duration>();
    // What starting and the first spins cost is not what waiting costs.
    std::thread::sleep(Duration::from_millis(500));
    let before = used();
    std::thread::sleep(Duration::from_secs(5));
    let each = used().saturating_sub(before).as_secs_f64() / 5.0 / FAIR as f64;
    println!("a blocked waiter uses {:.2} % of a processor ({FAIR} of them, 5 s)", each * 100.0);
    drop(guard);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, name, own] = arguments.as_slice() {
        let segment = Segment::attach(name, SegmentOptions::new()).unwrap();
        work(role, &segment, own.parse().unwrap()).unwrap();
        return;
    }
    // `cargo bench --bench sync -- contended`: only that.
    let parts: [(&str, fn()); 5] = [
        ("alone", alone),
        ("turns", ping_pong),
        ("contended", contended),
        ("fairness", fairness),
        ("blocked", blocked),
    ];
    let only = arguments.get(1).filter(|first| !first.starts_with('-'));
    for (name, part) in parts {
        if only.is_none_or(|only| only == name) {
            part();
        }
    }
}
