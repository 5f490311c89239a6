//! Typed structs when writers are killed: an update has happened wholly or not at all.
//!
//! The test starts its own binary as writers that change one struct in every way there is, kills
//! them at random moments and looks at the struct after each death.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions, Shared, Value};

const ROLE: &str = "SHM_TEST_DERIVE_KILL";
const KILLS: usize = 100;
const WRITERS: usize = 3;

/// All fields say the same number.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "test.Account")]
struct Account {
    plus: i64,
    minus: i128,
    text: String,
    pair: Pair,
    many: [u64; 70],
    any: Value,
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Pair {
    left: i32,
    right: i32,
    note: Option<String>,
}

fn account(number: i64) -> Account {
    Account {
        plus: number,
        minus: -i128::from(number) << 64,
        text: format!("the number {number} as a text of its own block"),
        pair: pair(number),
        many: [number.unsigned_abs(); 70],
        any: Value::from((number, format!("a tuple with the number {number}"))),
    }
}

fn pair(number: i64) -> Pair {
    let half = i32::try_from(number % 1000).unwrap();
    Pair {
        left: half,
        right: -half,
        note: (half % 2 == 0).then(|| "x".repeat(9 + half as usize % 9)),
    }
}

fn check(account: &Account) {
    let same = self::account(account.plus);
    let Pair { left, right, note } = &account.pair;
    assert_eq!((*left, note), (-right, &pair(i64::from(*left)).note), "{account:?}");
    assert_eq!(*account, Account { pair: account.pair.clone(), ..same });
}

fn writer(name: &str) {
    let segment = Segment::attach(name, SegmentOptions::new()).unwrap();
    let handle = segment.root().get_as::<Account>("account").unwrap().unwrap();
    let mut number = i64::from(std::process::id());
    let parent = std::os::unix::process::parent_id();
    // Writers whose parent is gone have nobody to be killed by.
    while std::os::unix::process::parent_id() == parent {
        number = (number * 31 + 7) % 100_003;
        match number % 5 {
            0 => handle.store(account(number)).unwrap(),
            1 => handle.set_pair(pair(number)).unwrap(),
            2 => handle.pair().update(|old| *old = pair(i64::from(old.left) + 1)).unwrap(),
            3 => drop(segment.alloc(account(number)).unwrap()),
            _ => handle.update(|old| *old = account(old.plus + 1)).unwrap(),
        }
    }
}

fn start(name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["updates_survive_kills", "--exact", "--nocapture"])
        .env(ROLE, name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn stop(writers: &mut [Child]) {
    for writer in writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
}

#[test]
fn updates_survive_kills() {
    if let Ok(name) = env::var(ROLE) {
        return writer(&name);
    }
    let segment = Segment::create_anonymous(SegmentOptions::new().size(32 << 20)).unwrap();
    let handle = segment.alloc(account(0)).unwrap();
    segment.root().insert("account", &handle).unwrap();
    let mut writers: Vec<Child> = (0..WRITERS).map(|_| start(segment.name())).collect();
    let mut changes = 0;
    let mut last = handle.load().unwrap();
    for kill in 0..KILLS {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let now = handle.load().unwrap();
            check(&now);
            if now != last {
                last = now;
                changes += 1;
                break;
            }
            assert!(Instant::now() < deadline, "no writer writes");
            thread::yield_now();
        }
        // A few hundred microseconds of writing, so that the kill meets any moment.
        let moment = Instant::now() + Duration::from_micros((kill as u64 * 7919) % 700);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        let victim = &mut writers[kill % WRITERS];
        victim.kill().unwrap();
        victim.wait().unwrap();
        check(&handle.load().unwrap());
        *victim = start(segment.name());
        if kill % 10 == 9 {
            stop(&mut writers);
            // Frees what the dead held and did not come to free.
            segment.reap().unwrap();
            let report = segment.check().unwrap();
            assert!(report.is_sound(), "{report:?}");
            check(&handle.load().unwrap());
            writers = (0..WRITERS).map(|_| start(segment.name())).collect();
        }
    }
    stop(&mut writers);
    assert_eq!(changes, KILLS);
}
