//! The killer: whom it kills, and when it calls a kill recovered.
//!
//! **Recovered** is, for a victim that died with the writer lock, the moment that the library notes
//! when somebody has taken the lock from the dead and has undone or finished its operation. For a
//! victim without the lock nothing is to be recovered; there it is the end of the first write that
//! another worker has begun after the kill. Both count from just before the signal is sent, and both
//! are read from the clock by the one who does it: what the killer sees, and when it gets a processor
//! to look, does not matter, so it looks rarely and takes none from the others.
//!
//! **Died with the lock** is what the segment's own count of deaths says, which the one who takes
//! the lock from a dead owner increments: exact, since one victim is killed at a time.

#![allow(unsafe_code, reason = "priority and timer slack")]

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use shm::Segment;

use crate::board::{self, Board};
use crate::census::{self, Tokens};
use crate::desk::Fault;
use crate::observer::{Observer, Token};
use crate::samples::{Aim, Sample};
use crate::worker::{self, Kind, Office, Worker};

pub(crate) const WORKERS: usize = 8;
/// Every so many kills all are killed and a census is taken. Then a ninth worker, with much resident
/// memory, is started; it touches all of it, works, and is the last victim before the next census.
const CENSUS_EVERY: usize = 200;
/// Between two looks, when nobody waits for the answer.
const LOOK: Duration = Duration::from_micros(500);
/// Between two looks at whoever has the lock, when one is to be killed: it is held for microseconds.
const AIMING_LOOK: Duration = Duration::from_micros(10);
/// For what happens at once unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// For a heavy worker to fill its memory, on a machine that has other things to do.
const PATIENCE_FOR_HEAVY: Duration = Duration::from_mins(4);
/// How long an aiming killer waits for somebody to take the lock.
const AIMING: Duration = Duration::from_millis(20);

pub(crate) struct Storm<'s> {
    segment: &'s Segment,
    board: &'s Board,
    observer: Observer,
    office: Office<'s>,
    /// One for each page of the board; the heavy one, if there is one, is the last.
    workers: Vec<Worker>,
    pub(crate) tokens: Tokens,
    /// Workers killed while they relayed a message, since the last census.
    takers: usize,
    pub(crate) samples: Vec<Sample>,
    /// Workers killed at censuses, all at once, without a sample.
    pub(crate) swept: usize,
}

/// Sets the storm apart from what else the machine is doing, as far as that is allowed: the library
/// is to be measured. Linux divides the processors among sessions first and looks at priorities
/// only within one, so this takes a session of its own, a higher share for it, and for the killer a
/// higher priority than its workers have.
fn stand_apart() {
    // SAFETY: plain numbers: timers of this thread may be 1 ns late, not 50 microseconds.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    // SAFETY: plain numbers: the terminal's interrupt no longer reaches a session of its own, but the
    // end of the one who started it does.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: no arguments; the leader of a process group stays where it is.
    unsafe { libc::setsid() };
    // Needs the right to it, and a kernel that groups by session.
    let _ = std::fs::write("/proc/self/autogroup", worker::NICE.to_string());
    // SAFETY: plain numbers; without the right to it nothing changes.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, worker::NICE - 5) };
}

fn wait_until(what: &str, holds: impl FnMut() -> io::Result<bool>) -> Result<(), Fault> {
    wait_for(what, PATIENCE, holds)
}

fn wait_for(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> io::Result<bool>,
) -> Result<(), Fault> {
    let deadline = Instant::now() + patience;
    while !holds()? {
        if Instant::now() > deadline {
            return Err(format!("{patience:?} went by without {what}").into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

impl<'s> Storm<'s> {
    pub(crate) fn new(segment: &'s Segment, board: &'s Board) -> Result<Self, Fault> {
        stand_apart();
        let python = std::env::var_os("SHM_PYTHON").map(Into::into);
        Ok(Storm {
            segment,
            board,
            observer: Observer::of(segment.name())?,
            office: Office::open(segment, board, python)?,
            workers: Vec::new(),
            tokens: Tokens::issue(segment)?,
            takers: 0,
            samples: Vec::new(),
            swept: 0,
        })
    }

    pub(crate) fn run(&mut self, kills: usize) -> Result<(), Fault> {
        self.start_all()?;
        for number in 0..kills {
            if number > 0 && number % CENSUS_EVERY == 0 {
                self.sweep()?;
                self.take_census()?;
                self.start_all()?;
            }
            let heavy = number % CENSUS_EVERY == CENSUS_EVERY - 1 || number + 1 == kills;
            self.kill_one(number, heavy)?;
            if !self.board.complaints()?.is_empty() {
                return Err("a worker complained".into());
            }
        }
        self.sweep()?;
        self.office.close()?;
        self.take_census()
    }

    /// Starts the heavy one first: to fill its memory takes a processor for a second or two, which
    /// the others are to have while they are watched.
    fn start_all(&mut self) -> Result<(), Fault> {
        let heavy = self.office.start(Kind::RustHeavy, WORKERS)?;
        wait_for("work of the heavy one", PATIENCE_FOR_HEAVY, || self.works(&heavy))?;
        for page in 0..WORKERS {
            let worker = self.office.start(self.office.any_kind(), page)?;
            self.workers.push(worker);
        }
        self.workers.push(heavy);
        Ok(())
    }

    /// Kills all at once and waits for their ends.
    fn sweep(&mut self) -> Result<(), Fault> {
        for worker in &self.workers {
            worker.kill();
        }
        self.swept += self.workers.len();
        for (page, mut worker) in std::mem::take(&mut self.workers).into_iter().enumerate() {
            self.office.reap(&mut worker)?;
            self.note_taker(page)?;
        }
        Ok(())
    }

    fn take_census(&mut self) -> Result<(), Fault> {
        let report = census::take(self.segment, &mut self.tokens, self.takers)?;
        self.takers = 0;
        println!(
            "census after {} kills: {} objects, {} leaves, {} blocks, {} bytes; garbage 0, lost 0",
            self.samples.len(),
            report.objects,
            report.leaves,
            report.blocks,
            report.bytes,
        );
        Ok(())
    }

    /// Whether the dead worker of a page may have had a message.
    fn note_taker(&mut self, page: usize) -> io::Result<()> {
        let line = self.board.last_line(page)?;
        self.takers += usize::from(line.is_some_and(|line| line.contains("relay")));
        Ok(())
    }

    /// The end of the first write that another worker began after a moment.
    fn first_write_after(&self, page: usize, moment: u64) -> io::Result<Option<u64>> {
        let mut first = None;
        for other in (0..=WORKERS).filter(|other| *other != page) {
            let write = self.board.first_write_after(other, moment)?;
            first = first.into_iter().chain(write).min();
        }
        Ok(first)
    }

    fn kill_one(&mut self, number: usize, heavy: bool) -> Result<(), Fault> {
        // At random moments.
        std::thread::sleep(Duration::from_micros(fastrand::u64(500..20_000)));
        let mut page = if heavy { WORKERS } else { fastrand::usize(0..WORKERS) };
        let mut aim = Aim::Anyone;
        // At whoever holds the lock; a heavy worker is waited for to hold it.
        if fastrand::bool()
            && let Some(hit) = self.wait_for_holder(heavy.then_some(page))
        {
            (page, aim) = (hit, Aim::Holder);
        }
        // Now and then it is stopped first, until all others sleep on its lock.
        if aim == Aim::Holder && fastrand::u32(0..4) == 0 {
            aim = Aim::Stopped;
            self.workers[page].stop();
            std::thread::sleep(Duration::from_micros(fastrand::u64(2000..6000)));
        }
        let sample = self.kill(number, page, aim)?;
        self.samples.push(sample);
        self.note_taker(page)?;
        if page == WORKERS {
            let mut dead = self.workers.remove(page);
            return Ok(self.office.reap(&mut dead)?);
        }
        let worker = self.office.start(self.office.any_kind(), page)?;
        let mut dead = std::mem::replace(&mut self.workers[page], worker);
        Ok(self.office.reap(&mut dead)?)
    }

    /// Whether the heavy worker is at work.
    fn works(&self, heavy: &Worker) -> io::Result<bool> {
        let line = self.board.last_line(WORKERS)?;
        Ok(line.is_some_and(|line| line.contains(&format!(" {} ", heavy.pid))))
    }

    /// Waits for a worker (this one, if given; else not the heavy one) to take the lock: its page.
    fn wait_for_holder(&self, only: Option<usize>) -> Option<usize> {
        let deadline = Instant::now() + AIMING;
        while Instant::now() < deadline {
            let pid = self.observer.owner().and_then(|token| self.observer.process_of(token));
            let page = self.workers.iter().position(|worker| Some(worker.pid) == pid);
            if page.is_some_and(|page| only.map_or(page != WORKERS, |only| page == only)) {
                return page;
            }
            std::thread::sleep(AIMING_LOOK);
        }
        None
    }

    /// Kills the worker of a page and waits until the others are undisturbed again.
    fn kill(&self, number: usize, page: usize, aim: Aim) -> Result<Sample, Fault> {
        let worker = &self.workers[page];
        let threads = self.observer.threads_of(worker.pid);
        let deaths = self.observer.deaths();
        let killed = board::now();
        worker.kill();
        let holds = || self.observer.holders().any(|holder| threads.contains(&holder));
        let mut first_write = None;
        let mut held = None;
        wait_until("the victim's death, the lock's recovery, a write of the others", || {
            // Looked for from the start: workers remember their last writes only.
            if first_write.is_none() {
                first_write = self.first_write_after(page, killed)?;
            }
            // A victim that never came to an operation has no thread here: nothing to die with.
            if !threads.iter().all(|token| self.observer.is_dead(*token)) {
                return Ok(false);
            }
            let held = *held.get_or_insert_with(holds);
            let idle = threads.iter().all(|token| self.observer.is_idle(*token));
            // Counted before anything else, noted when all is done.
            let counted = self.observer.deaths() != deaths;
            let noted = self.observer.last_recovery() > killed;
            let recovered = counted == noted && (counted || !held);
            Ok(recovered && idle && !holds() && first_write.is_some())
        })?;
        let counted = self.observer.deaths() - deaths;
        if counted > 1 {
            return Err(format!("one death with the lock was counted {counted} times").into());
        }
        let holder = counted == 1;
        let end = if holder { Some(self.observer.last_recovery()) } else { first_write };
        let recovery = Duration::from_nanos(end.unwrap_or(killed) - killed);
        let victim = worker.kind.name();
        let heavy = worker.kind == Kind::RustHeavy;
        Ok(Sample { number, victim, aim, heavy, holder, recovery })
    }

    /// How far it came.
    pub(crate) fn whereabouts(&self) -> String {
        let pids: Vec<String> = self
            .workers
            .iter()
            .map(|worker| format!("{} {}", worker.pid, worker.kind.name()))
            .collect();
        format!("kill number {} of the storm; workers: {}", self.samples.len(), pids.join(", "))
    }

    /// A fault, with what is needed to understand it; ends the workers.
    pub(crate) fn report_of(&mut self, fault: &dyn std::error::Error) -> String {
        let complaints = self.board.complaints().unwrap_or_default();
        let owner = self.observer.owner();
        let mut text = format!("{fault}\n{complaints}lock word: {owner:?}\nlast operations:\n");
        for worker in &self.workers {
            worker.kill();
        }
        let mut lines: Vec<String> =
            (0..=WORKERS).flat_map(|page| self.board.lines(page).unwrap_or_default()).collect();
        lines.sort();
        for line in lines.iter().skip(lines.len().saturating_sub(100)) {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}
