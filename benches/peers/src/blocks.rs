//! Blocks of 16 to 256 bytes: one process, two at once, among a million holes, and as they become many.
//!
//! `shm-peers blocks` prints both tables. Ours are immutable leaves that one operation on a list makes and
//! drops, logged and committed; the peer's are a `Vec` with its first words written, from mimalloc. Two
//! processes share one segment, each with a list of its own; mimalloc's share nothing. Rows of one
//! process are thread time; of two, and of a growing heap, time on the wall.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shm::__private::{BenchBlock, drop_blocks, replace_blocks};
use shm::{List, Segment, SegmentOptions};

use crate::harness::{Row, compare, print};
use crate::{Outcome, TEXT, ok};

/// Blocks that are replaced again and again, at random.
const WORKING: usize = 4096;
/// Blocks that one operation replaces.
const BATCH: usize = 64;
const HOLES: usize = 1_000_000;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

/// xorshift64*, the same on both sides.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn bytes(&mut self) -> u64 {
        16 + self.next() % 31 * 8
    }

    /// A run of `count` of `all`.
    fn run(&mut self, count: usize, all: usize) -> std::ops::Range<usize> {
        let start = self.next() as usize % (all - count + 1);
        start..start + count
    }
}

/// Blocks of the segment.
struct Ours {
    seg: Segment,
    /// What the operations are on.
    list: List,
    blocks: Vec<BenchBlock>,
    random: Random,
}

impl Ours {
    fn new(seg: Segment, count: usize) -> Self {
        let list = ok(seg.list_of([0]));
        let random = Random(88_172_645_463_325_252);
        let mut ours = Ours { seg, list, blocks: Vec::new(), random };
        ours.grow_to(count);
        ours
    }

    fn grow_to(&mut self, count: usize) {
        while self.blocks.len() < count {
            let start = self.blocks.len();
            let more = BATCH.min(count - start);
            let fresh = |_| BenchBlock::new(self.random.bytes());
            self.blocks.extend((0..more).map(fresh));
            ok(replace_blocks(&self.list, &mut self.blocks[start..]));
        }
    }

    /// Replaces `n` blocks, so many in an operation.
    fn replace(&mut self, n: usize, batch: usize) {
        for _ in 0..n.div_ceil(batch) {
            let run = self.random.run(batch, self.blocks.len());
            let blocks = &mut self.blocks[run];
            for block in blocks.iter_mut() {
                block.bytes = self.random.bytes();
            }
            ok(replace_blocks(&self.list, blocks));
        }
    }

    fn live(&self) -> u64 {
        self.blocks.iter().map(|block| block.bytes).sum()
    }
}

/// Blocks of mimalloc.
struct Theirs {
    blocks: Vec<Vec<u64>>,
    random: Random,
}

fn block(bytes: u64) -> Vec<u64> {
    let mut block = Vec::with_capacity(bytes as usize / 8);
    block.extend([1, bytes]);
    std::hint::black_box(block)
}

impl Theirs {
    fn new(count: usize) -> Self {
        let mut theirs = Theirs { blocks: Vec::new(), random: Random(88_172_645_463_325_252) };
        theirs.grow_to(count);
        theirs
    }

    fn grow_to(&mut self, count: usize) {
        while self.blocks.len() < count {
            let bytes = self.random.bytes();
            self.blocks.push(block(bytes));
        }
    }

    fn replace(&mut self, n: usize, batch: usize) {
        for _ in 0..n.div_ceil(batch) {
            let run = self.random.run(batch, self.blocks.len());
            for place in &mut self.blocks[run] {
                *place = block(self.random.bytes());
            }
        }
    }

    fn live(&self) -> u64 {
        self.blocks.iter().map(|block| block.capacity() as u64 * 8).sum()
    }
}

fn segment(bytes: u64) -> Outcome<Segment> {
    Segment::create_anonymous(SegmentOptions::new().size(bytes))
}

/// A segment with a million holes between as many blocks, and blocks to replace.
fn with_holes() -> Outcome<Ours> {
    let mut all = Ours::new(segment(2 << 30)?, 2 * HOLES);
    let holes: Vec<BenchBlock> = all.blocks.drain(..).step_by(2).collect();
    for run in holes.chunks(BATCH) {
        ok(drop_blocks(&all.list, run));
    }
    // The others stay, whoever knows of them.
    all.grow_to(WORKING);
    Ok(all)
}

/// Prints both tables.
pub fn report() -> Outcome<()> {
    let mut ours = Ours::new(segment(1 << 30)?, WORKING);
    let mut holes = with_holes()?;
    let mut theirs = Theirs::new(WORKING);
    let mut rows: Vec<Row> = Vec::new();
    for (name, batch) in [
        ("alloc + free, 64 in an operation", BATCH),
        ("alloc + free, 8 in an operation", 8),
        ("alloc + free, one in an operation", 1),
    ] {
        let (ours, theirs) = (&mut ours, &mut theirs);
        rows.push(compare(
            name,
            "mimalloc",
            |n| ours.replace(n, batch),
            |n| theirs.replace(n, batch),
        ));
    }
    rows.push(compare(
        "the same among a million holes, 64",
        "shm without holes",
        |n| holes.replace(n, BATCH),
        |n| ours.replace(n, BATCH),
    ));
    print(&rows);
    drop(holes);
    println!();
    two_at_once(&ours)?;
    drop(ours);
    println!();
    grow()
}

/// What a process of two does, on command.
pub fn child(name: &str) -> Outcome<()> {
    let mut side = Side::new(Segment::attach(name, SegmentOptions::new())?)?;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        println!("{}", side.run(&line));
    }
    // Its blocks belong to nothing.
    std::process::exit(0);
}

/// One of two processes.
struct Side {
    ours: Ours,
    theirs: Theirs,
    texts: List,
    private: Vec<String>,
}

impl Side {
    fn new(seg: Segment) -> Outcome<Self> {
        let texts = seg.list_of((0..1000).map(|_| TEXT))?;
        Ok(Side {
            ours: Ours::new(seg, WORKING),
            theirs: Theirs::new(WORKING),
            texts,
            private: vec![TEXT.to_owned(); 1000],
        })
    }

    /// Nanoseconds for one, over a round.
    fn run(&mut self, what: &str) -> f64 {
        let started = Instant::now();
        let mut done = 0;
        while started.elapsed() < ROUND {
            match what {
                "shm" => self.ours.replace(1024, BATCH),
                "mimalloc" => self.theirs.replace(1024, BATCH),
                "shm text" => (0..1000).for_each(|index| ok(self.texts.set(index, TEXT))),
                _ => self.private.iter_mut().for_each(|text| {
                    *text = std::hint::black_box(TEXT).to_owned();
                }),
            }
            done += if what.ends_with("text") { 1000 } else { 1024 };
        }
        started.elapsed().as_nanos() as f64 / f64::from(done)
    }
}

fn two_at_once(ours: &Ours) -> Outcome<()> {
    let io = |error: std::io::Error| panic!("the child: {error}");
    let program = std::env::current_exe().unwrap_or_else(io);
    let mut child = Command::new(program)
        .args(["blocks-child", ours.seg.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("the child: {error}"));
    let mut to = child.stdin.take().unwrap_or_else(|| panic!("the child has no input"));
    let output = child.stdout.take().unwrap_or_else(|| panic!("the child has no output"));
    let mut from = BufReader::new(output).lines();
    let mut side = Side::new(ours.seg.clone())?;
    println!("| two processes at once | shm, ns | mimalloc, ns | ratio |");
    println!("|---|---|---|---|");
    for (name, own, peer) in [
        ("alloc + free, 64 in an operation", "shm", "mimalloc"),
        ("replace a 40-byte text", "shm text", "mimalloc text"),
    ] {
        let mut both = |what: &str| -> f64 {
            let sent = writeln!(to, "{what}").and_then(|()| to.flush());
            sent.unwrap_or_else(|error| panic!("the child: {error}"));
            let mine = side.run(what);
            let line = from.next().and_then(Result::ok).unwrap_or_default();
            let its: f64 = line.parse().unwrap_or_else(|_| panic!("the child said {line:?}"));
            (mine + its) / 2.0
        };
        let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
            .map(|_| {
                let (ours, theirs) = (both(own), both(peer));
                (ours / theirs, ours, theirs)
            })
            .collect();
        rounds.sort_by(|one, two| one.0.total_cmp(&two.0));
        let (ratio, ours, theirs) = rounds[ROUNDS / 2];
        println!("| {name} | {ours:.1} | {theirs:.1} | {ratio:.1}x |");
    }
    drop(to);
    let _ = child.wait();
    Ok(())
}

/// Bytes of this process that are in memory and nobody else's.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let field = |index| text.split(' ').nth(index).and_then(|part| part.parse::<u64>().ok());
    (field(1).unwrap_or(0) - field(2).unwrap_or(0)) * 4096
}

/// Time and memory from a thousand to ten million live blocks; each row is a process of its own.
fn grow() -> Outcome<()> {
    println!(
        "| live blocks | shm: ns to add one | to replace one | bytes per byte | after as many \
         replacements | mimalloc: ns to add one | to replace one | bytes per byte | after as many |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for count in [1_000, 10_000, 100_000, 1_000_000, 10_000_000_u64] {
        let program = std::env::current_exe();
        let program = program.unwrap_or_else(|error| panic!("this program: {error}"));
        let row = Command::new(program).args(["blocks-row", &count.to_string()]).status();
        assert!(row.is_ok_and(|status| status.success()), "no row of {count} blocks");
    }
    Ok(())
}

/// A row of that table.
pub fn row(count: &str) -> Outcome<()> {
    let count: usize = count.parse().unwrap_or_else(|_| panic!("{count:?} is no number"));
    let replaced = count.max(200_000);
    let per_block = |started: Instant, n: usize| started.elapsed().as_nanos() as f64 / n as f64;

    let before = resident();
    let mut theirs = Theirs::new(0);
    theirs.blocks.reserve_exact(count);
    let started = Instant::now();
    theirs.grow_to(count);
    let added = per_block(started, count);
    // The table of blocks is not part of what it holds.
    let table = count as u64 * 24;
    let held =
        |theirs: &Theirs| resident().saturating_sub(before + table) as f64 / theirs.live() as f64;
    let first = held(&theirs);
    let started = Instant::now();
    theirs.replace(replaced, BATCH);
    let peer = (added, per_block(started, replaced), first, held(&theirs));
    drop(theirs);

    let mut ours = Ours::new(segment(4 << 30)?, 0);
    let started = Instant::now();
    ours.grow_to(count);
    let added = per_block(started, count);
    let used = |ours: &Ours| ok(ours.seg.stats()).used as f64 / ours.live() as f64;
    let first = used(&ours);
    let started = Instant::now();
    ours.replace(replaced, BATCH);
    let own = (added, per_block(started, replaced), first, used(&ours));
    println!(
        "| {count} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} |",
        own.0, own.1, own.2, own.3, peer.0, peer.1, peer.2, peer.3
    );
    Ok(())
}
