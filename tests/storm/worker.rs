//! The processes of the storm: how they come to the segment, how they are killed and reaped.
//!
//! Rust workers are forked with the killer's handles, forked and attached by name, or started as a
//! program (this test binary). Python workers are started as a program, or forked from a Python
//! process, the nursery, with its handles. All of them die with the killer.

#![allow(unsafe_code, reason = "fork, kill and wait")]

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use shm::{Segment, SegmentOptions};

use crate::board::Board;
use crate::desk;

/// Set in a worker that is this test binary: segment, board, page, seed.
pub(crate) const ROLE: &str = "SHM_STORM_WORKER";
/// The priority of workers, where the storm has the right to it (the killer's is a little higher): it
/// is to be measured how the library does, not what else the machine is doing.
pub(crate) const NICE: i32 = -10;
/// The resident memory of a heavy worker.
const BALLAST: usize = 2 << 30;

/// How a worker comes to the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RustForked,
    RustAttached,
    RustSpawned,
    PythonForked,
    PythonSpawned,
    /// Forked and attached, with much resident memory.
    RustHeavy,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::RustForked => "rust forked",
            Kind::RustAttached => "rust attached",
            Kind::RustSpawned => "rust spawned",
            Kind::PythonForked => "python forked",
            Kind::PythonSpawned => "python spawned",
            Kind::RustHeavy => "rust heavy",
        }
    }
}

/// What starts workers.
pub(crate) struct Office<'s> {
    pub(crate) segment: &'s Segment,
    pub(crate) board: &'s Board,
    python: Option<PathBuf>,
    nursery: Option<Nursery>,
}

/// A Python process that forks workers on request.
struct Nursery {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Nursery {
    fn ask(&mut self, request: &str) -> io::Result<i32> {
        writeln!(self.requests, "{request}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other(format!("{request:?}: {line:?}")))
    }
}

pub(crate) struct Worker {
    pub(crate) pid: i32,
    pub(crate) kind: Kind,
    child: Option<Child>,
}

/// In a worker: die with the parent, at the workers' priority.
pub(crate) fn settle(seed: u64) {
    fastrand::seed(seed);
    // SAFETY: plain numbers; without the right to it the priority is the usual one.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Has a program start at the usual priority, until it settles: its start, 80 ms of a Python's, is
/// work of the test, and what the others do meanwhile is watched.
fn start_gently(command: &mut Command) -> &mut Command {
    // SAFETY: a system call with plain numbers between fork and exec.
    let start = || unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        Ok(())
    };
    // SAFETY: as above; nothing is allocated and no lock is taken.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, start) }
}

impl<'s> Office<'s> {
    pub(crate) fn open(
        segment: &'s Segment,
        board: &'s Board,
        python: Option<PathBuf>,
    ) -> io::Result<Self> {
        let mut office = Office { segment, board, python, nursery: None };
        if office.python.is_some() {
            let mut command = office.python_command(["nursery"])?;
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let requests = child.stdin.take().ok_or_else(|| io::Error::other("no stdin"))?;
            let answers = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
            office.nursery = Some(Nursery { child, requests, answers: BufReader::new(answers) });
        }
        Ok(office)
    }

    fn python_command<const N: usize>(&self, arguments: [&str; N]) -> io::Result<Command> {
        let python = self.python.as_ref().ok_or_else(|| io::Error::other("no Python"))?;
        let mut command = Command::new(python);
        start_gently(&mut command)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/worker.py"))
            .arg(self.segment.name())
            .arg(self.board.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(self.board.complaints_file()?);
        Ok(command)
    }

    /// A kind of worker by chance; without Python, all are Rust.
    pub(crate) fn any_kind(&self) -> Kind {
        match fastrand::u32(0..100) {
            // The start of a Python takes a processor for as long as everything else between two
            // kills.
            0..34 if self.python.is_some() => Kind::PythonForked,
            34..42 if self.python.is_some() => Kind::PythonSpawned,
            0..66 => Kind::RustForked,
            66..90 => Kind::RustAttached,
            _ => Kind::RustSpawned,
        }
    }

    pub(crate) fn start(&mut self, kind: Kind, page: usize) -> io::Result<Worker> {
        let (seed, number) = (fastrand::u64(..), page.to_string());
        let spawned = |child: Child| Worker { pid: child.id() as i32, kind, child: Some(child) };
        match kind {
            Kind::RustForked | Kind::RustAttached | Kind::RustHeavy => {
                let pid = self.fork(kind, page, seed)?;
                Ok(Worker { pid, kind, child: None })
            }
            Kind::RustSpawned => {
                let board = self.board.path().display();
                start_gently(&mut Command::new(std::env::current_exe()?))
                    .args([crate::TEST, "--exact", "--nocapture"])
                    .env(ROLE, format!("{}\n{board}\n{page}\n{seed}", self.segment.name()))
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(self.board.complaints_file()?)
                    .spawn()
                    .map(spawned)
            }
            Kind::PythonSpawned => {
                let seed = seed.to_string();
                self.python_command(["work", &number, &seed])?.spawn().map(spawned)
            }
            Kind::PythonForked => {
                let nursery =
                    self.nursery.as_mut().ok_or_else(|| io::Error::other("no nursery"))?;
                let pid = nursery.ask(&format!("fork {page} {seed}"))?;
                Ok(Worker { pid, kind, child: None })
            }
        }
    }

    fn fork(&self, kind: Kind, page: usize, seed: u64) -> io::Result<i32> {
        // SAFETY: the child works on the segment only and ends by _exit.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid > 0 {
            return Ok(pid);
        }
        settle(seed);
        work(self.segment, kind, self.board.path(), page);
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(1) }
    }

    /// Waits for the end of a killed worker. One that ended otherwise is a fault.
    pub(crate) fn reap(&mut self, worker: &mut Worker) -> io::Result<()> {
        let status = match (worker.kind, &mut worker.child) {
            (Kind::PythonForked, _) => {
                let nursery =
                    self.nursery.as_mut().ok_or_else(|| io::Error::other("no nursery"))?;
                nursery.ask(&format!("reap {}", worker.pid))?
            }
            (_, Some(child)) => std::os::unix::process::ExitStatusExt::into_raw(child.wait()?),
            (_, None) => {
                let mut status = 0;
                // SAFETY: `status` is a live local; the child is ours.
                if unsafe { libc::waitpid(worker.pid, &raw mut status, 0) } != worker.pid {
                    return Err(io::Error::last_os_error());
                }
                status
            }
        };
        if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL {
            return Ok(());
        }
        let (kind, pid) = (worker.kind.name(), worker.pid);
        Err(io::Error::other(format!("worker {pid} ({kind}) ended by itself: {status:#x}")))
    }

    /// Ends the nursery.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if let Some(Nursery { mut child, requests, .. }) = self.nursery.take() {
            drop(requests);
            let status = child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("the nursery ended with {status}")));
            }
        }
        Ok(())
    }
}

impl Drop for Office<'_> {
    fn drop(&mut self) {
        // After a failed storm; its workers go with it.
        if let Some(nursery) = &mut self.nursery {
            let _ = nursery.child.kill();
            let _ = nursery.child.wait();
        }
    }
}

impl Worker {
    /// Kills without waiting for the end.
    pub(crate) fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    /// Stops it where it is.
    pub(crate) fn stop(&self) {
        self.signal(libc::SIGSTOP);
    }

    fn signal(&self, signal: i32) {
        // SAFETY: plain numbers; the process was not reaped, so the id is its.
        unsafe { libc::kill(self.pid, signal) };
    }
}

fn work(segment: &Segment, kind: Kind, board: &Path, page: usize) {
    let own = match kind {
        Kind::RustForked => segment.clone(),
        _ => match Segment::attach(segment.name(), SegmentOptions::new()) {
            Ok(own) => own,
            Err(error) => {
                eprintln!("attach: {error}");
                return;
            }
        },
    };
    let mut ballast = Vec::new();
    if kind == Kind::RustHeavy {
        ballast = vec![0_u8; BALLAST];
        for page in ballast.chunks_mut(4096) {
            // Touched, so that it is resident.
            page[0] = 1;
        }
    }
    desk::work(&own, board, page);
    drop(std::hint::black_box(ballast));
}

/// What a worker does that is this test binary.
pub(crate) fn work_as_told(role: &str) {
    let mut parts = role.split('\n');
    let mut next = || parts.next().unwrap_or_default();
    let (name, board, page, seed) = (next(), next(), next(), next());
    settle(seed.parse().expect("a seed"));
    let segment = Segment::attach(name, SegmentOptions::new()).expect("the storm's segment");
    desk::work(&segment, Path::new(board), page.parse().expect("a page"));
    std::process::exit(1);
}
