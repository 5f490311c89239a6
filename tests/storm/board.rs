//! What the workers say about themselves, in a file that outlives them.
//!
//! Each worker has a page of the board: how many writes it completed, when the last of them began
//! and ended, and a ring of text lines, one written before each operation, so that a failed storm can
//! show what everybody did last. A second file takes complaints: a worker that finds a violation
//! writes it there and ends; Python's standard error goes there too. Plain reads and writes, no map.
//! `worker.py` writes the same.
//!
//! ```text
//! page     completed writes 8 bytes | 15 writes of 16 | 8 unused | 60 lines of 64 bytes
//! write    begun, ended, in nanoseconds of CLOCK_MONOTONIC; write N is in place N % 15
//! line     "MICROSECONDS PID NUMBER OPERATION", padded with blanks
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const PAGE: u64 = 4096;
const WRITES: usize = 15;
const LINES_AT: u64 = 256;
const LINE: usize = 64;
const LINES: u64 = 60;

/// The clock of all processes (`CLOCK_MONOTONIC`), in nanoseconds since the machine started.
#[allow(unsafe_code, reason = "the standard library's `Instant` does not show its number")]
pub(crate) fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a live local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The killer's side; the files go with it.
pub(crate) struct Board {
    file: File,
    path: PathBuf,
}

impl Drop for Board {
    fn drop(&mut self) {
        // Nothing is lost if they stay: they lie in the directory for temporary files.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(complaints_of(&self.path));
    }
}

fn complaints_of(board: &Path) -> PathBuf {
    board.with_extension("complaints")
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Board {
    pub(crate) fn create(pages: usize) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("shm-storm-{}.board", std::process::id()));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.set_len(pages as u64 * PAGE)?;
        let board = Board { file, path };
        File::create(complaints_of(&board.path))?;
        Ok(board)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// For the standard error of a process.
    pub(crate) fn complaints_file(&self) -> io::Result<File> {
        append_to(&complaints_of(&self.path))
    }

    /// What workers complained of; empty in a good storm.
    pub(crate) fn complaints(&self) -> io::Result<String> {
        std::fs::read_to_string(complaints_of(&self.path))
    }

    /// The end of the first write of a page that was begun after a moment, of those that are
    /// remembered.
    pub(crate) fn first_write_after(&self, page: usize, moment: u64) -> io::Result<Option<u64>> {
        let mut writes = [0; WRITES * 16];
        self.file.read_exact_at(&mut writes, page as u64 * PAGE + 8)?;
        let (writes, _) = writes.as_chunks::<8>();
        let (writes, _) = writes.as_chunks::<2>();
        Ok(writes
            .iter()
            .map(|write| write.map(u64::from_le_bytes))
            .filter_map(|[begun, ended]| (begun > moment).then_some(ended))
            .min())
    }

    /// What the last worker with this page did last.
    pub(crate) fn last_line(&self, page: usize) -> io::Result<Option<String>> {
        Ok(self.lines(page)?.pop())
    }

    /// The lines of a page, the oldest first.
    pub(crate) fn lines(&self, page: usize) -> io::Result<Vec<String>> {
        let mut bytes = [0; LINE * LINES as usize];
        self.file.read_exact_at(&mut bytes, page as u64 * PAGE + LINES_AT)?;
        let mut lines: Vec<String> = bytes
            .chunks_exact(LINE)
            .map(|line| String::from_utf8_lossy(line).trim_end_matches(['\0', ' ']).to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        // They start with the time, all with the same number of digits.
        lines.sort();
        Ok(lines)
    }
}

/// A worker's side.
pub(crate) struct Pen {
    file: File,
    board: PathBuf,
    at: u64,
    begun: u64,
    began: u64,
    completed: u64,
}

impl Pen {
    pub(crate) fn open(board: &Path, page: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(board)?;
        let at = page as u64 * PAGE;
        // Goes on where the worker before stopped, so that the number only grows.
        let mut word = [0; 8];
        file.read_exact_at(&mut word, at)?;
        let completed = u64::from_le_bytes(word);
        Ok(Pen { file, board: board.to_owned(), at, begun: 0, began: 0, completed })
    }

    /// Before an operation.
    pub(crate) fn begin(&mut self, operation: &str) -> io::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
        let line = format!("{time:016} {:7} {:7} {operation}", std::process::id(), self.begun);
        let line = format!("{line:LINE$.LINE$}");
        let at = self.at + LINES_AT + LINE as u64 * (self.begun % LINES);
        self.begun += 1;
        self.file.write_all_at(line.as_bytes(), at)?;
        self.began = now();
        Ok(())
    }

    /// After an operation that wrote.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        let write = [self.began, now()].map(u64::to_le_bytes);
        let at = self.at + 8 + 16 * (self.completed % WRITES as u64);
        self.file.write_all_at(write.as_flattened(), at)?;
        self.completed += 1;
        self.file.write_all_at(&self.completed.to_le_bytes(), self.at)
    }

    /// Says what is wrong.
    pub(crate) fn complain(&self, what: &str) {
        if let Ok(mut file) = append_to(&complaints_of(&self.board)) {
            let _ = writeln!(file, "worker {}: {what}", std::process::id());
        }
    }
}
