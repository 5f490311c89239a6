//! Everything at once: many threads in many processes, of which some end, fork, close or are killed.
//!
//! Short operations, operations on one object, whole ones, transactions, collections, snapshots and container locks
//! meet each other in all orders; meanwhile threads come and go, children are forked in the middle of what
//! other threads do, and processes are killed. What must hold is said by counts that each operation keeps, and
//! by the consistency check. `SHM_ROUNDS` says how many kills; a build with debug assertions finds most.

#![allow(unsafe_code, reason = "fork, kill and wait for child processes")]
#![allow(clippy::unwrap_used, reason = "a worker that fails is a failed test")]

mod words;

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shm::{ByteArray, Dict, Error, List, Record, Segment, SegmentOptions, Set, Shared, Value};

const PROCESSES: usize = 3;
const THREADS: usize = 3;
const LISTS: usize = 20;
const ACCOUNTS: usize = 8;
const MONEY: i64 = 1000;

#[derive(Shared, Clone, Debug, PartialEq)]
struct Pair {
    left: i64,
    right: i64,
    inner: Vec<i64>,
}

fn options() -> SegmentOptions {
    SegmentOptions::new().size(16 << 20).lock_timeout(Duration::from_mins(1))
}

fn text(number: u64) -> String {
    format!("a text that does not fit into a cell, {number}")
}

/// Small, fast, repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Words that all processes share, beside the segment.
struct Board(&'static [AtomicU64; 8]);

/// Counted up after each addition, and before each.
const AFTER: usize = 0;
const BEFORE: usize = 1;
const STOP: usize = 2;
const FAILED: usize = 3;

impl Board {
    fn new() -> Self {
        Board(words::shared())
    }

    fn is_over(&self) -> bool {
        self.0[STOP].load(Ordering::Relaxed) != 0 || self.0[FAILED].load(Ordering::Relaxed) != 0
    }
}

/// Handles of what is in the segment.
struct Things {
    segment: Segment,
    root: Dict,
    lists: Vec<List>,
    accounts: List,
    guarded: List,
    set: Set,
    pair: PairRef,
    record: Record,
    /// Nobody else knows it; and how many bytes were appended.
    own: ByteArray,
    appended: Cell<usize>,
}

fn list(root: &Dict, key: &str) -> List {
    match root.get(key).unwrap() {
        Some(Value::List(list)) => list,
        other => panic!("{key}: {other:?}"),
    }
}

/// An empty one, as soon as there is room.
fn own(segment: &Segment) -> ByteArray {
    loop {
        match segment.bytearray(b"") {
            Err(Error::SegmentFull { .. }) => thread::yield_now(),
            made => return made.unwrap(),
        }
    }
}

impl Things {
    fn make(segment: &Segment) {
        let root = segment.root();
        for number in 0..LISTS {
            let key = format!("list {number}");
            root.set(key.as_str(), segment.list_of([0]).unwrap()).unwrap();
        }
        root.set("accounts", segment.list_of([MONEY; ACCOUNTS]).unwrap()).unwrap();
        root.set("guarded", segment.list_of([0, 0]).unwrap()).unwrap();
        root.set("set", segment.set([0]).unwrap()).unwrap();
        let pair = segment.alloc(Pair { left: 0, right: 0, inner: vec![1, 2] }).unwrap();
        root.set("pair", &pair).unwrap();
        root.set("n", 0).unwrap();
    }

    fn of(segment: &Segment) -> Self {
        let root = segment.root();
        let Some(Value::Set(set)) = root.get("set").unwrap() else { panic!("no set") };
        let Some(Value::Record(record)) = root.get("pair").unwrap() else { panic!("no record") };
        Things {
            segment: segment.clone(),
            lists: (0..LISTS).map(|number| list(&root, &format!("list {number}"))).collect(),
            accounts: list(&root, "accounts"),
            guarded: list(&root, "guarded"),
            set,
            pair: root.get_as::<Pair>("pair").unwrap().unwrap(),
            record,
            own: own(segment),
            appended: Cell::new(0),
            root,
        }
    }

    /// One of everything there is, by chance.
    fn step(&self, board: &Board, random: &mut Random) -> shm::Result<()> {
        let number = random.below(1 << 40);
        let one = &self.lists[random.below(LISTS as u64) as usize];
        match random.below(28) {
            0..4 => {
                board.0[BEFORE].fetch_add(1, Ordering::SeqCst);
                if random.below(2) == 0 {
                    self.root.add("n", 1)?;
                } else {
                    // The long way to the same.
                    let old = self.root.get("n")?.and_then(|old| old.as_int()).unwrap();
                    if !self.root.compare_exchange("n", Some(&Value::Int(old)), old + 1)? {
                        self.root.add("n", 1)?;
                    }
                }
                board.0[AFTER].fetch_add(1, Ordering::SeqCst);
            }
            4..7 => one.push(text(number))?,
            7 => drop(one.pop()?),
            8 => {
                self.own.push(1)?;
                self.appended.set(self.appended.get() + 1);
                assert_eq!(self.own.len()?, self.appended.get(), "appended once");
            }
            9 => drop(one.pop_front()?),
            10 => one.push_front(number as i64)?,
            11 if one.len()? > 60 => one.del_slice(Some(3), None, None)?,
            11 => one.insert(1, text(number))?,
            12 => one.set(0, text(number)).or_else(|_| one.push(0))?,
            13 => drop(self.set.add(text(number % 50))?),
            14 => drop(self.set.remove(text(number % 50))?),
            15 => self.root.set(text(number % 20).as_str(), text(number))?,
            16 => drop(self.root.remove(text(number % 20).as_str())?),
            17 => {
                // Nested, shared and dropped again; pins come and go.
                let inner = self.segment.list_of([number as i64, 1])?;
                let handles: Vec<_> =
                    (0..random.below(90)).map(|_| self.segment.list_of([1])).collect();
                one.push(&inner)?;
                drop(handles);
                one.compare_exchange(one.len()?.saturating_sub(1), &Value::from(&inner), 5)
                    .map(drop)
                    .or_else(|error| match error {
                        Error::IndexOutOfRange { .. } => Ok(()),
                        error => Err(error),
                    })?;
            }
            18 => {
                let cycle = self.segment.list_of([text(number)])?;
                cycle.push(&cycle)?;
            }
            19 => {
                let (left, right) = (number as i64, -(number as i64));
                self.pair.update(|pair| (pair.left, pair.right) = (left, right))?;
            }
            20 => {
                let pair = self.pair.load()?;
                assert_eq!(pair.left, -pair.right, "torn");
                // The struct compared under the lock, whatever others make of it meanwhile.
                let copy = Value::from(&self.record);
                let same = self.segment.list_of([&copy])?;
                assert!(same.compare_exchange(0, &copy, 1)?, "a struct differs from itself");
            }
            21 => {
                let transaction = self.segment.begin(None)?;
                let [from, to] = [(); 2].map(|()| random.below(ACCOUNTS as u64) as usize);
                self.accounts.add(from, -5)?;
                one.push(text(number))?;
                self.accounts.add(to, 5)?;
                if random.below(3) > 0 { transaction.commit()? } else { drop(transaction) }
            }
            22 => {
                let items = self.accounts.to_vec()?;
                let sum: i64 = items.iter().map(|item| item.as_int().unwrap()).sum();
                assert_eq!(sum, MONEY * ACCOUNTS as i64, "money");
            }
            23 => {
                let lock = self.guarded.lock()?;
                let held = lock.acquire(None)?;
                let [one, other] = [0, 1].map(|at| self.guarded.get_int(at).unwrap().unwrap());
                assert!(held.owner_died() || one == other, "{one} and {other}");
                let next = one.max(other) + 1;
                self.guarded.set(0, next)?;
                self.guarded.set(1, next)?;
            }
            24 if random.below(20) == 0 => drop(self.segment.gc()?),
            25 if random.below(60) == 0 => {
                let report = self.segment.check()?;
                assert!(report.is_sound(), "{:#?}", report.findings);
            }
            26 if random.below(100) == 0 => {
                let (name, thread) = (self.segment.name(), number);
                let path = std::env::temp_dir().join(format!("{name}-{thread}.snapshot"));
                let taken = self.segment.snapshot(&path);
                let _ = std::fs::remove_file(path);
                taken?;
            }
            _ => {
                one.reverse()?;
                let _ = one.index_of(&Value::Int(5), 0, 9)?;
                drop(one.to_vec()?);
            }
        }
        Ok(())
    }
}

/// Does so many steps; a panic of one of them is everybody's end.
fn work(segment: &Segment, board: &Board, seed: u64, steps: u64) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let things = Things::of(segment);
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..steps {
            if board.is_over() {
                break;
            }
            match things.step(board, &mut random) {
                // Segments are small, and others may have taken what was made room for.
                Ok(()) | Err(Error::SegmentFull { .. } | Error::Deadlock { .. }) => {}
                Err(error) => panic!("{error}: {error:?}"),
            }
        }
    }));
    if outcome.is_err() {
        board.0[FAILED].store(1, Ordering::SeqCst);
    }
}

fn fork(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs `child` and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        child();
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    pid
}

fn end(pid: libc::pid_t, signal: Option<libc::c_int>) {
    let mut status = 0;
    if let Some(signal) = signal {
        // SAFETY: the child is ours, so the number cannot mean another process.
        unsafe { libc::kill(pid, signal) };
    }
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
}

/// A process: threads that end and are replaced, children, and a second attachment that comes and goes.
fn process(name: &str, board: &Board, seed: u64) {
    std::panic::set_hook(Box::new(|info| {
        let trace = std::backtrace::Backtrace::force_capture();
        let _ = writeln!(std::io::stderr(), "{info}\n{trace}");
    }));
    let segment = Segment::attach(name, options()).unwrap();
    thread::scope(|scope| {
        for number in 0..THREADS as u64 {
            let segment = &segment;
            scope.spawn(move || {
                for life in 0.. {
                    if board.is_over() {
                        break;
                    }
                    let seed = seed.wrapping_mul(1000) + number * 100_000 + life;
                    thread::scope(|inner| {
                        inner.spawn(|| work(segment, board, seed, 300)).join().unwrap();
                    });
                }
            });
        }
        let mut random = Random(seed | 1);
        while !board.is_over() {
            let seed = random.below(1 << 30);
            if seed.is_multiple_of(3) {
                let other = Segment::attach(name, options()).unwrap();
                work(&other, board, seed, 40);
                other.close().unwrap();
                continue;
            }
            let child = fork(|| work(&segment, board, seed, 60));
            let signal = seed.is_multiple_of(2).then_some(libc::SIGKILL);
            if signal.is_some() {
                thread::sleep(Duration::from_millis(seed % 5));
            }
            end(child, signal);
        }
    });
}

#[test]
fn everything_at_once_leaves_everything_whole() {
    let rounds = std::env::var("SHM_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    let name = format!("shm-mixed-{}", std::process::id());
    let segment = Segment::create(&name, options()).unwrap();
    Things::make(&segment);
    let board = Board::new();
    let start = |seed: u64| fork(|| process(&name, &board, seed));
    let mut running: Vec<_> = (0..PROCESSES as u64).map(start).collect();
    let mut random = Random(std::process::id().into());
    let _stop = StopAtEnd(&board);
    for round in 0..rounds {
        thread::sleep(Duration::from_millis(50 + random.below(200)));
        let index = random.below(PROCESSES as u64) as usize;
        end(running[index], Some(libc::SIGKILL));
        running[index] = start(round + 100);
        assert_eq!(board.0[FAILED].load(Ordering::SeqCst), 0, "a worker failed, see above");
        let report = segment.check().unwrap();
        assert!(report.is_sound(), "{:#?}", report.findings);
    }
    board.0[STOP].store(1, Ordering::SeqCst);
    for pid in running {
        end(pid, None);
    }
    assert_eq!(board.0[FAILED].load(Ordering::SeqCst), 0, "a worker failed, see above");
    // Children of the killed may still be at work for a moment.
    let deadline = Instant::now() + Duration::from_mins(1);
    while segment.peers().unwrap().iter().filter(|peer| peer.alive).count() > 1 {
        assert!(Instant::now() < deadline, "{:?}", segment.peers());
        thread::yield_now();
    }
    segment.reap().unwrap();
    let counted = segment.root().get("n").unwrap().unwrap().as_int().unwrap() as u64;
    let [after, before] = [AFTER, BEFORE].map(|at| board.0[at].load(Ordering::SeqCst));
    println!("{counted} counted, {after} to {before} said so");
    assert!((after..=before).contains(&counted), "{counted} is not in {after}..={before}");
    segment.gc().unwrap();
    let report = segment.check().unwrap();
    assert!(report.is_sound() && report.garbage == 0, "{report:?}");
}

/// Ends the workers however the test ends.
struct StopAtEnd<'b>(&'b Board);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.0[STOP].store(1, Ordering::SeqCst);
    }
}
