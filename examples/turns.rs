//! Two processes take turns at one list: the program with which this kind of library was first
//! shown, here in Rust (`turns.py` is the same in Python, and either may talk to the other).
//!
//! The first process sends a message, a list of a str, an int, a tuple and a dict. Both then count
//! its second item up, 2,000 times a turn, 1,000 turns each. Nobody else acts in a turn, so no
//! increment is lost.

use std::time::{Duration, Instant};

use shm::{Dict, List, Segment, SegmentOptions, Value};

const TURNS: i64 = 1_000;
const STEPS: i64 = 2_000;
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn take_turns(seg: &Segment, shared_data: &List) -> Outcome {
    let turn = seg.turn("default")?;
    for _ in 0..TURNS {
        let _mine = turn.acquire(PATIENCE)?;
        for _ in 0..STEPS {
            let old = shared_data.get_int(1)?.ok_or("item 1 is no int")?;
            shared_data.set(1, old + 1)?;
        }
    }
    Ok(())
}

fn consumer(name: &str) -> Outcome {
    let seg = Segment::attach(name, SegmentOptions::new().timeout(Duration::from_secs(10)))?;
    let message = seg.take_message(PATIENCE)?;
    let shared_data = message.as_list().ok_or("the message is no list")?; // itself, not a copy
    take_turns(&seg, shared_data)?;
    seg.put_message("done")?;
    Ok(())
}

fn main() -> Outcome {
    if let Some(name) = std::env::args().nth(1) {
        return consumer(&name);
    }
    let seg = Segment::create_anonymous(SegmentOptions::new().size(200 << 20))?;
    let mut other = std::process::Command::new(std::env::current_exe()?).arg(seg.name()).spawn()?;

    let inner: List = seg.list_of([Value::from(1), 2.5.into(), Value::None])?;
    let details: Dict = seg.dict([("key", &inner)])?;
    let shared_data = seg.list_of([
        Value::from("some text"),
        0.into(),
        (1, "two", 3.0).into(),
        (&details).into(),
    ])?;
    seg.put_message(&shared_data)?;
    while seg.has_messages()? && other.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(1)); // until the other one has come
    }

    let started = Instant::now();
    take_turns(&seg, &shared_data)?;
    let answer = seg.take_message(PATIENCE)?;
    let seconds = started.elapsed().as_secs_f64();
    let expected = 2 * TURNS * STEPS;
    let counted = shared_data.get_int(1)?;
    if answer != *"done" || !other.wait()?.success() || counted != Some(expected) {
        return Err(format!("expected {expected}, found {counted:?}").into());
    }
    println!("{expected} increments in {} turns of two processes: {seconds:.2} s", 2 * TURNS);
    Ok(())
}
