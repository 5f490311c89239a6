//! Crashes with a core dump, and life words beside what else uses the kernel's robust list.
//!
//! The kernel marks life words only after the dump was written, so the dump leaves the segment out. A
//! thread has one pending word: a robust mutex of the C library clears it, another segment takes it
//! over; each operation names its own again.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use shm::{List, Segment};

use crate::{
    Board, alone, assert_clean, eventually, fresh_name, in_child, kill, path_of, small, spawn, wait,
};

/// The flags that the kernel tells of the mapping of a file in this process.
fn flags_of_mapping(path: &std::path::Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = path.metadata().unwrap().ino().to_string();
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut flags = Vec::new();
    let mut ours = false;
    for line in smaps.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if let Some(text) = line.strip_prefix("VmFlags:") {
            if ours {
                flags.push(text.trim().to_owned());
            }
        } else if fields.first().is_some_and(|first| !first.ends_with(':')) {
            ours = fields.get(4).is_some_and(|found| *found == inode);
        }
    }
    flags
}

#[test]
fn the_segment_is_left_out_of_core_dumps() {
    alone(|| {
        let name = fresh_name();
        let _segment = Segment::create(&name, small()).unwrap();
        let check = || {
            let flags = flags_of_mapping(&path_of(&name));
            i32::from(
                flags.is_empty()
                    || flags.iter().any(|flags| !flags.split(' ').any(|flag| flag == "dd")),
            )
        };
        assert_eq!(check(), 0);
        assert_eq!(in_child(check), 0);
    });
}

#[test]
fn a_crash_with_a_core_dump_is_recovered() {
    alone(|| {
        let name = fresh_name();
        // Large, so that a dump of it would show.
        let segment = Segment::create(&name, small().size(256 << 20)).unwrap();
        let list = segment.list_of((0..200_000).map(|n| format!("text number {n}"))).unwrap();
        let folder = std::env::temp_dir().join(format!("{name}-cores"));
        std::fs::create_dir(&folder).unwrap();
        let mut deaths = 0;
        for signal in [libc::SIGSEGV, libc::SIGABRT].repeat(5) {
            let board = Board::new();
            let child = spawn(|| {
                let limit =
                    libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
                // SAFETY: `limit` is live; where it may not be raised, there is no dump.
                unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
                // SAFETY: the default action instead of the test harness's handler.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
                if std::env::set_current_dir(&folder).is_err() {
                    return 1;
                }
                board.set(0, 1);
                loop {
                    let _ = list.reverse();
                }
            });
            board.wait_for(0, 1);
            let version = list.version().unwrap();
            eventually("the child works", || list.version().unwrap() != version);
            let before = segment.stats().unwrap().deaths;
            crate::send(child, signal);
            let started = Instant::now();
            segment.root().set("n", 1).unwrap();
            assert!(started.elapsed() < Duration::from_secs(5));
            assert_eq!(wait(child), -signal);
            deaths += segment.stats().unwrap().deaths - before;
            for entry in std::fs::read_dir(&folder).unwrap() {
                let core = entry.unwrap();
                // On disk, not by its length: what is left out is a hole.
                let blocks = std::os::unix::fs::MetadataExt::blocks(&core.metadata().unwrap());
                assert!(blocks * 512 < segment.used().unwrap(), "the dump holds the segment");
                std::fs::remove_file(core.path()).unwrap();
            }
        }
        std::fs::remove_dir(&folder).unwrap();
        assert!(deaths > 0, "no child crashed with the lock in 10 rounds");
        drop(list);
        assert_clean(&segment);
    });
}

/// A robust mutex of the C library, shared with forks.
struct RobustMutex(*mut libc::pthread_mutex_t);

impl RobustMutex {
    fn new() -> Self {
        let page = Board::new().0.as_ptr().cast_mut().cast::<libc::pthread_mutex_t>();
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: initialises the attributes, which live.
        unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) };
        // SAFETY: the attributes were initialised.
        unsafe {
            libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST)
        };
        // SAFETY: as above.
        unsafe {
            libc::pthread_mutexattr_setpshared(
                attributes.as_mut_ptr(),
                libc::PTHREAD_PROCESS_SHARED,
            )
        };
        // SAFETY: the page is zeroed, larger than a mutex, and mapped for ever.
        unsafe { libc::pthread_mutex_init(page, attributes.as_ptr()) };
        RobustMutex(page)
    }

    /// 0, or `EOWNERDEAD` with the mutex made consistent.
    fn lock(&self) -> libc::c_int {
        // SAFETY: the mutex was initialised and lives for ever.
        let status = unsafe { libc::pthread_mutex_lock(self.0) };
        if status == libc::EOWNERDEAD {
            // SAFETY: as above; this thread holds it.
            unsafe { libc::pthread_mutex_consistent(self.0) };
        }
        status
    }

    fn unlock(&self) {
        // SAFETY: as above; this thread holds it.
        unsafe { libc::pthread_mutex_unlock(self.0) };
    }
}

/// Reverses for ever, with the mutex taken and given back in between if it is not held already.
fn reverse_for_ever(list: &List, mutex: &RobustMutex, board: &Board, hold: bool) -> i32 {
    if hold && mutex.lock() != 0 {
        return 1;
    }
    loop {
        if !hold {
            mutex.lock();
            mutex.unlock();
        }
        let _ = list.reverse();
        board.set(0, 1);
    }
}

#[test]
fn a_robust_mutex_of_the_same_thread_dies_with_it_and_so_does_the_lock() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list_of((0..3000).map(|n| format!("text number {n}"))).unwrap();
        for hold in [true, false] {
            let mut deaths = 0;
            for _ in 0..40 {
                let (mutex, board) = (RobustMutex::new(), Board::new());
                let child = spawn(|| reverse_for_ever(&list, &mutex, &board, hold));
                board.wait_for(0, 1);
                let before = segment.stats().unwrap().deaths;
                crate::send(child, libc::SIGKILL);
                segment.root().set("n", 1).unwrap();
                deaths += segment.stats().unwrap().deaths - before;
                let status = mutex.lock();
                if hold {
                    assert_eq!(status, libc::EOWNERDEAD);
                } else {
                    assert!(status == 0 || status == libc::EOWNERDEAD);
                }
                mutex.unlock();
                wait(child);
            }
            assert!(deaths > 0, "no child died with the lock in 40 rounds (hold: {hold})");
        }
        drop(list);
        assert_clean(&segment);
    });
}

#[test]
fn a_mutex_between_two_operations_does_not_hide_a_threads_death() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let list = segment.list_of([0]).unwrap();
        let child = spawn(|| {
            let (turn, list) = (turn.clone(), list.clone());
            std::mem::forget(std::thread::spawn(move || {
                let mutex = RobustMutex::new();
                turn.acquire_raw(None).unwrap();
                mutex.lock();
                mutex.unlock();
                // Named again by this; no process check can see the death of one thread.
                list.add(0, 1).unwrap();
                // SAFETY: ends this thread with no handler and no destructor.
                unsafe { libc::syscall(libc::SYS_exit, 0) };
            }));
            loop {
                std::thread::yield_now();
            }
        });
        eventually("the thread was there", || list.get_int(0).unwrap() == Some(1));
        drop(turn.acquire(Some(Duration::from_secs(10))).unwrap());
        kill(child);
        drop((list, turn));
        assert_clean(&segment);
    });
}

#[test]
fn a_thread_that_uses_two_segments_in_turn_is_recovered_in_either() {
    alone(|| {
        let one = Segment::create_anonymous(small()).unwrap();
        let two = Segment::create_anonymous(small()).unwrap();
        let text = || (0..3000).map(|n| format!("text number {n}"));
        let lists = [one.list_of(text()).unwrap(), two.list_of(text()).unwrap()];
        let mut deaths = [0, 0];
        for _ in 0..200 {
            let board = Board::new();
            let child = spawn(|| {
                loop {
                    for list in &lists {
                        let _ = list.reverse();
                    }
                    board.set(0, 1);
                }
            });
            board.wait_for(0, 1);
            let before = [one.stats().unwrap().deaths, two.stats().unwrap().deaths];
            crate::send(child, libc::SIGKILL);
            for segment in [&one, &two] {
                let started = Instant::now();
                segment.root().set("n", 1).unwrap();
                assert!(started.elapsed() < Duration::from_secs(5));
            }
            wait(child);
            deaths[0] += one.stats().unwrap().deaths - before[0];
            deaths[1] += two.stats().unwrap().deaths - before[1];
            if deaths.iter().all(|count| *count > 0) {
                drop(lists);
                assert_clean(&one);
                assert_clean(&two);
                return;
            }
        }
        panic!("deaths with the lock in 200 rounds: {deaths:?}");
    });
}
