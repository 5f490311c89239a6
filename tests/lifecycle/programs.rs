//! Other programs: an exec ends what the old program held, and the new one inherits nothing.
//!
//! An exec keeps the process id and its start time, and one by a thread that is not the first changes
//! that thread's id before the kernel looks at its life word: what was held is noticed all the same.

use std::ffi::CString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shm::{Segment, Value};

use crate::{
    Board, alone, assert_clean, eventually, fresh_name, kill, living, path_of, send, small, spawn,
    wait,
};

/// Becomes a program that does nothing for longer than any test.
fn become_idle() -> i32 {
    let _ = Command::new("sleep").arg("1000").exec();
    1
}

fn is_program(pid: libc::pid_t, name: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
}

#[test]
fn what_a_program_held_is_free_when_another_takes_its_place() {
    alone(|| {
        let segment = Segment::create_anonymous(small().max_processes(3)).unwrap();
        let turn = segment.turn("t").unwrap();
        for from_another_thread in [false, true, false, true] {
            let child = spawn(|| {
                let work = || {
                    std::mem::forget(segment.list_of(["only the old program holds it"]));
                    turn.acquire_raw(None).map_or(2, |_| become_idle())
                };
                if from_another_thread {
                    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or(3))
                } else {
                    work()
                }
            });
            eventually("it is another program", || is_program(child, "sleep"));
            drop(turn.acquire(Some(Duration::from_secs(10))).unwrap());
            // The kernel gives the old program's files back just before the new one runs.
            eventually("the old one has left", || living(&segment) == [std::process::id()]);
            // Its slot can be had again, too: there are three for five processes.
            assert_clean(&segment);
            assert_eq!(segment.peers().unwrap().len(), 1);
            assert!(is_program(child, "sleep"));
            kill(child);
        }
    });
}

#[test]
fn a_child_that_never_touched_the_segment_leaves_it_by_an_exec() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let child = spawn(become_idle);
        eventually("it is another program", || is_program(child, "sleep"));
        eventually("the old one has left", || living(&segment) == [std::process::id()]);
        segment.close().unwrap();
        assert!(!path_of(&name).exists());
        kill(child);
    });
}

/// The idle program's arguments, made before the signal: the handler may not allocate.
static IDLE: std::sync::OnceLock<[CString; 3]> = std::sync::OnceLock::new();

extern "C" fn exec_at_once(_signal: libc::c_int) {
    if let Some([program, name, time]) = IDLE.get() {
        let arguments = [name.as_ptr(), time.as_ptr(), std::ptr::null()];
        // SAFETY: all strings are NUL-terminated and live; exec may be called in a handler.
        unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    }
}

#[test]
fn an_exec_in_the_middle_of_an_operation_is_recovered() {
    alone(|| {
        let idle = ["/bin/sleep", "sleep", "1000"].map(|text| CString::new(text).unwrap());
        IDLE.set(idle).unwrap();
        let segment = Segment::create_anonymous(small()).unwrap();
        let items: Vec<Value> = (0..2000).map(|n| format!("text number {n}").into()).collect();
        let list = segment.list_of(items.clone()).unwrap();
        let mut backwards = items.clone();
        backwards.reverse();
        for round in 0..300 {
            let board = Board::new();
            let child = spawn(|| {
                let handler = exec_at_once as extern "C" fn(libc::c_int) as libc::sighandler_t;
                // SAFETY: the handler does only what handlers may.
                unsafe { libc::signal(libc::SIGUSR1, handler) };
                board.set(0, 1);
                loop {
                    let _ = list.reverse();
                }
            });
            board.wait_for(0, 1);
            let version = list.version().unwrap();
            eventually("the child works", || list.version().unwrap() != version);
            send(child, libc::SIGUSR1);
            eventually("it is another program", || is_program(child, "sleep"));
            let before = segment.stats().unwrap().deaths;
            let started = Instant::now();
            segment.root().set("round", round).unwrap();
            assert!(started.elapsed() < Duration::from_secs(5));
            let seen = list.to_vec().unwrap();
            assert!(seen == items || seen == backwards, "half reversed");
            drop(seen);
            kill(child);
            if segment.stats().unwrap().deaths > before {
                drop(list);
                assert_clean(&segment);
                return;
            }
        }
        panic!("no program ended with the lock in 300 rounds");
    });
}

/// What a program that is started from a process that is attached finds among its descriptors.
fn descriptors_of(mut command: Command) -> String {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.contains("pipe:"), "{text}");
    text
}

#[test]
fn a_new_program_inherits_no_descriptor_of_the_segment() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let reader = Segment::attach(&name, small().readonly(true)).unwrap();
        let list = || {
            let mut command = Command::new("ls");
            command.args(["-l", "/proc/self/fd"]);
            command
        };
        // By posix_spawn, and by fork and exec.
        let mut forking = list();
        // SAFETY: the closure does nothing; that there is one makes it a fork.
        unsafe { forking.pre_exec(|| Ok(())) };
        for command in [list(), forking] {
            let text = descriptors_of(command);
            assert!(!text.contains("/dev/shm") && !text.contains(&name), "{text}");
        }
        drop(reader);
        segment.root().set("n", 1).unwrap();
        assert_eq!(living(&segment), [std::process::id()]);
        assert_clean(&segment);
    });
}

/// Tells the program of the next test what it is to do.
const ATTACH: &str = "SHM_LIFECYCLE_ATTACH";

#[test]
fn a_program_that_starts_itself_anew_and_attaches_again_is_one_peer() {
    if let Some(name) = std::env::var_os(ATTACH) {
        let segment = Segment::attach(name.to_str().unwrap(), small()).unwrap();
        segment.root().set("again", std::process::id()).unwrap();
        while segment.root().get("end").unwrap().is_none() {
            std::thread::yield_now();
        }
        return;
    }
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let child = spawn(|| {
            std::mem::forget(segment.list_of(["only the old program holds it"]));
            let Ok(program) = std::env::current_exe() else { return 1 };
            let test = "programs::a_program_that_starts_itself_anew_and_attaches_again_is_one_peer";
            let mut command = Command::new(program);
            let _ = command.args(["--exact", test]).env(ATTACH, &name).stdout(Stdio::null()).exec();
            2
        });
        let root = segment.root();
        eventually("the new program is there", || root.get("again").unwrap().is_some());
        assert_eq!(root.get("again").unwrap(), Some(Value::Int(i64::from(child))));
        assert_eq!(living(&segment).iter().filter(|pid| **pid == child as u32).count(), 1);
        assert_clean(&segment);
        root.set("end", 1).unwrap();
        assert_eq!(wait(child), 0);
        drop(root);
        assert_clean(&segment);
        assert_eq!(segment.peers().unwrap().len(), 1);
    });
}
