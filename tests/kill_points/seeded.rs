//! The test of the tests: in a build with a protocol bug, a walk must find it.
//!
//! Only in builds with `--cfg shm_seeded_bugs` (`make test-kills` makes one). Each bug has the walk
//! that is expected to catch it: over operations whose name contains a text, killed once, killed
//! in recovery too, or visited by a second process. Each such walk must find nothing while no bug is seeded.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use shm::Bug;

use crate::{operations, visit, walk};

/// What is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Operation,
    Recovery,
    Visit,
}

use Walk::{Operation, Recovery, Visit};

impl Walk {
    fn name(self) -> &'static str {
        match self {
            Operation => "operation",
            Recovery => "recovery",
            Visit => "visit",
        }
    }
}

/// Where each bug must show.
#[allow(clippy::match_same_arms, reason = "in the order of the bugs, not of the walks")]
fn walk_for(bug: Bug) -> (Walk, &'static str) {
    match bug {
        Bug::StoreBeforeLog | Bug::CountBeforeEntry => (Operation, "set tuple | list of texts"),
        Bug::StaleLog => (Operation, "make an object | nothing"),
        Bug::UndoForwards => (Operation, "take blocks of many sizes | nothing cached"),
        Bug::UndoEndsFirst => (Recovery, "swap | list of texts"),
        Bug::CommitForgetsTasks | Bug::TasksNotRun => (Operation, "set tuple | list of texts"),
        Bug::TaskNotUndone | Bug::TaskDoneFirst => (Operation, "set tuple | list of objects"),
        Bug::SequenceLeftOdd | Bug::SequenceBeforeLog => (Operation, "swap | list of texts"),
        Bug::RecoveryStopsEarly => (Operation, "attach and write | a live segment"),
        Bug::DeadStripeIsClean => (Operation, "replace a text by one of its size | cached"),
        Bug::StripeStaysDead => (Operation, "append int | list of 5 ints"),
        Bug::StripesNotAwaited => (Visit, "replace a text by one of its size | cached"),
        Bug::DeadLockIsClean | Bug::EarlyUnlock => (Operation, "set tuple | list of objects"),
        Bug::RoomNotExpected => (Operation, "give a block back | the cache is full"),
        Bug::SpanBeforeItem => (Operation, "append int | list of 5 ints"),
        Bug::SpanBeforeCells => (Operation, "deque append int | deque of ints, full"),
        Bug::CountBeforeKey => (Operation, "insert int | dict of 3 ints"),
        Bug::CommittedFirst => (Operation, "new class | no free page"),
        Bug::PunchedFirst => (Operation, "give back | a page in use behind free ones"),
        Bug::UnmarkedFirst => (Operation, "fill | holes"),
        Bug::TruncatedFirst => (Operation, "give back | free pages"),
        Bug::LifeArmedLate => (Operation, "attach and write | a live segment"),
        Bug::IntentAfterUnpin => (Operation, "make an object and drop it"),
        Bug::SlotFreedFirst => (Operation, "close, not the last"),
        Bug::NamedTooEarly => (Operation, "create | no segment"),
        Bug::MetaNotLogged => (Operation, "append shared object | list of objects"),
        Bug::ContentNotLogged => (Operation, "set tuple | list of texts"),
        Bug::BlockNotLogged => (Operation, "extend | list of 8 ints"),
        Bug::SpanNotLogged => (Operation, "append text | list of 5 ints"),
        Bug::LockNotLogged => (Operation, "drop a container | with a lock"),
        Bug::CapacityNotLogged => (Operation, "append text | list of 8 ints"),
        Bug::BitmapNotLogged | Bug::FreeCountNotLogged => {
            (Operation, "the cache runs empty | 3 cached")
        }
        Bug::PageKindNotLogged | Bug::ListHeadNotLogged => (Operation, "new class | room"),
        Bug::PageLinkNotLogged => (Operation, "fill a page | another with room"),
        Bug::FreePageNotLogged => (Operation, "run of pages | room"),
        Bug::GraveyardNotLogged => (Operation, "drop a tree | two references"),
        Bug::CacheNotLogged => (Operation, "take a block | cached"),
        Bug::CachedOffsetNotLogged => (Operation, "the cache runs empty | 3 cached"),
        Bug::CacheNotRestored => (Operation, "the cache runs full twice"),
        Bug::ExchangeHalfLogged => (Operation, "replace a text by one of its size | cached"),
        Bug::OverwriteHalfLogged => (Operation, "update two words | plain struct"),
        Bug::FreedTwice => (Operation, "set tuple | list of texts"),
        Bug::MovedBackUncounted => (Recovery, "take and undo, the cache runs empty"),
        Bug::MovedPinRemovedFirst => (Operation, "pins are moved in their table"),
        Bug::RemovalNotCounted => (Operation, "delete every other one, texts"),
        Bug::PinTableNotLogged => (Operation, "pin objects in a second attachment"),
        Bug::PinCapacityNotLogged => (Operation, "the table of pins shrinks"),
        Bug::KeptBlockForgotten => (Operation, "let go of a freed array"),
        Bug::FreshTooEarly => (Operation, "give the pages of an array back"),
        Bug::UsedPagesForgotten => (Operation, "drop an array and make one"),
    }
}

/// Walks until something is found; in a process of its own, because the bug is seeded for good.
#[test]
fn one_walk() {
    let (Ok(kind), Ok(only)) = (std::env::var("SHM_SEEDED_WALK"), std::env::var("SHM_KILL_ONLY"))
    else {
        return;
    };
    for operation in operations::all().iter().filter(|one| one.name.contains(&only)) {
        let outcome = match kind.as_str() {
            "recovery" => walk::recoveries(operation, 3),
            "visit" => visit::visited(operation),
            _ => walk::operation(operation, 1),
        };
        if let Err(error) = outcome {
            println!("found\t{}: {}", operation.name, error.replace('\n', " "));
            return;
        }
    }
}

/// What a walk finds with a bug seeded, or with none.
fn find(bug: Option<Bug>, (kind, only): (Walk, &str)) -> Option<String> {
    let output = Command::new(std::env::current_exe().expect("the test knows its binary"))
        .args(["seeded::one_walk", "--exact", "--nocapture", "--test-threads=1"])
        .env("SHM_SEEDED_BUG", bug.map_or("none", Bug::name))
        .env("SHM_SEEDED_WALK", kind.name())
        .env("SHM_KILL_ONLY", only)
        .output()
        .expect("the test's binary starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| line.split_once("found\t"));
    match found {
        Some((_, found)) => Some(found.to_owned()),
        // The set-up itself may be what fails.
        None if !output.status.success() => Some("the walk itself failed".to_owned()),
        None => None,
    }
}

#[test]
fn every_seeded_bug_is_found_and_nothing_else() {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let work = || {
        while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let walk = walk_for(bug);
            let miss = |what| missed.lock().expect("no panic").push(what);
            match find(Some(bug), walk) {
                Some(found) => {
                    let found: String = found.chars().take(160).collect();
                    println!("{} ({}): found by {found}", bug.name(), bug.what());
                }
                None => {
                    miss(format!("{} ({}) was not found by {}", bug.name(), bug.what(), walk.1));
                }
            }
            let is_first = Bug::ALL.iter().find(|other| walk_for(**other) == walk) == Some(&bug);
            if is_first && let Some(found) = find(None, walk) {
                miss(format!("without any bug, {} finds {found}", walk.1));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let missed = missed.into_inner().expect("no panic");
    println!("{} bugs seeded, {} missed", Bug::ALL.len(), missed.len());
    assert!(Bug::ALL.len() >= 20 && missed.is_empty(), "{}", missed.join("\n"));
}
