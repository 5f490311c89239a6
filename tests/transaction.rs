//! Transactions: all or nothing, seen from inside and from outside.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shm::{ByteArray, Dict, Error, List, Queue, Result, Segment, SegmentOptions, Set, Value};

const NOW: Option<Duration> = Some(Duration::ZERO);
const DEADLINE: Duration = Duration::from_mins(1);

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(32 << 20)).unwrap()
}

fn sound(seg: &Segment) {
    assert_eq!(seg.check().unwrap().findings, Vec::<String>::new());
}

fn stop<T>() -> Result<T> {
    Err(Error::InvalidArgument { what: "stop".to_owned() })
}

/// One object of each kind, named in the root.
struct World {
    list: List,
    dict: Dict,
    set: Set,
    bytes: ByteArray,
    queue: Queue,
}

impl World {
    fn new(seg: &Segment) -> Self {
        let world = World {
            list: seg.list_of((0..20).map(|n| format!("item number {n}"))).unwrap(),
            dict: seg.dict((0..20).map(|n| (n, n))).unwrap(),
            set: seg.set(0..20).unwrap(),
            bytes: seg.bytearray(b"some bytes to begin with").unwrap(),
            queue: seg.queue("q", 0).unwrap(),
        };
        let root = seg.root();
        root.insert("list", &world.list).unwrap();
        root.insert("dict", &world.dict).unwrap();
        root.insert("set", &world.set).unwrap();
        root.insert("bytes", &world.bytes).unwrap();
        world
    }

    fn content(&self) -> String {
        let entries: Vec<_> =
            self.dict.to_vec().unwrap().into_iter().map(|e| format!("{e:?}")).collect();
        let mut members: Vec<_> =
            self.set.to_vec().unwrap().into_iter().map(|m| format!("{m:?}")).collect();
        members.sort();
        let items: Vec<_> = self.list.to_vec().unwrap().iter().map(|i| format!("{i:?}")).collect();
        let (bytes, len) = (self.bytes.to_vec().unwrap(), self.queue.len().unwrap());
        format!("{items:?} {entries:?} {members:?} {bytes:?} {len}")
    }

    fn steps(&self, seg: &Segment, steps: &[u64]) {
        for step in steps {
            self.step(seg, *step);
        }
    }

    /// One operation, chosen by a number; errors (an index out of range) are operations too.
    fn step(&self, seg: &Segment, random: u64) {
        let n = (random >> 8) as i64 % 40;
        let _ = match random % 24 {
            0 => self.list.push(n),
            1 => self.list.push(format!("a longer text with the number {n}")),
            2 => self.list.pop().map(drop),
            3 => self.list.pop_front().map(drop),
            4 => self.list.insert(n as usize, n),
            5 => self.list.set(n as usize, format!("replaced by the number {n}")),
            6 => self.list.remove(n as usize).map(drop),
            7 => self.list.extend((0..n).map(Value::from).collect::<Vec<_>>()),
            8 => self.dict.insert(n, n * 2).map(drop),
            9 => self.dict.insert(n, format!("value number {n}")).map(drop),
            10 => self.dict.remove(n).map(drop),
            11 => self.dict.pop_item().map(drop),
            12 => self.dict.add(n, 1).map(drop),
            13 => self.set.add(n).map(drop),
            14 => self.set.remove(n).map(drop),
            15 => self.bytes.push(n as u8),
            16 => self.bytes.extend(&vec![n as u8; n as usize * 3]),
            17 => self.bytes.pop().map(drop),
            18 => self.queue.put(n, NOW),
            19 => self.queue.get(NOW).map(drop),
            20 => seg.dict([("n", n)]).and_then(|made| self.list.push(made)),
            21 => self.list.clear(),
            22 => self.dict.clear(),
            _ => self.list.reverse(),
        };
    }
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

#[test]
fn whatever_a_transaction_did_is_undone_and_what_it_commits_is_what_operations_do() {
    let (seg, twin) = (segment(), segment());
    let (world, model) = (World::new(&seg), World::new(&twin));
    let mut state = 7;
    for round in 0..400 {
        let steps: Vec<u64> = (0..random(&mut state) % 60).map(|_| random(&mut state)).collect();
        let before = world.content();
        let undone = seg.transaction(|_| {
            world.steps(&seg, &steps);
            stop::<()>()
        });
        assert!(undone.is_err());
        assert_eq!(world.content(), before, "round {round}");
        seg.transaction(|_| {
            world.steps(&seg, &steps);
            Ok(())
        })
        .unwrap();
        model.steps(&twin, &steps);
        assert_eq!(world.content(), model.content(), "round {round}");
        if round % 40 == 0 {
            sound(&seg);
        }
    }
    sound(&seg);
}

#[test]
fn nothing_is_lost_or_left_over_by_transactions_that_are_undone() {
    let seg = segment();
    let world = World::new(&seg);
    let mut state = 3;
    let _ = seg.transaction(|_| stop::<()>());
    let before = seg.check().unwrap();
    for _ in 0..100 {
        let _ = seg.transaction(|_| {
            for _ in 0..40 {
                world.step(&seg, random(&mut state));
            }
            stop::<()>()
        });
    }
    let after = seg.check().unwrap();
    assert_eq!(
        (after.blocks, after.objects, after.leaves),
        (before.blocks, before.objects, before.leaves)
    );
}

#[test]
fn the_thread_sees_what_it_wrote_and_others_see_it_at_once_or_not_at_all() {
    let seg = segment();
    let root = seg.root();
    let (one, two) = (seg.list_of([0]).unwrap(), seg.list_of([0]).unwrap());
    root.insert("one", &one).unwrap();
    root.insert("two", &two).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) || looks == 0 {
                // Two looks are two moments: the second one can only be later.
                let first = one.get_int(0).unwrap().unwrap();
                let second = two.get_int(0).unwrap().unwrap();
                assert!(second >= first, "{second} after {first}");
                looks += 1;
            }
        });
        for number in 1..2000 {
            seg.transaction(|_| {
                two.set(0, number)?;
                assert_eq!(two.get_int(0)?, Some(number));
                assert_eq!(one.get_int(0)?, Some(number - 1));
                one.set(0, number)
            })
            .unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    sound(&seg);
}

#[test]
fn writers_wait_and_are_told_who_holds_the_segment() {
    let seg = segment();
    let transaction = seg.begin(None).unwrap();
    seg.root().insert("n", 1).unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| seg.begin(Some(Duration::from_millis(20))).map(drop));
        let error = other.join().unwrap().unwrap_err();
        let Error::LockTimeout { holder_pid, .. } = error else { panic!("{error}") };
        assert_eq!(holder_pid, std::process::id());
    });
    transaction.commit().unwrap();
    assert_eq!(seg.root().get("n").unwrap(), Some(1.into()));
}

#[test]
fn a_panic_and_a_rollback_undo_and_the_segment_goes_on() {
    let seg = segment();
    let root = seg.root();
    root.insert("n", 0).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = seg.transaction(|_| {
            root.insert("n", 1)?;
            assert!(root.is_empty()?, "in the middle");
            Ok(())
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(root.get("n").unwrap(), Some(0.into()));
    seg.transaction(|tx| {
        root.insert("n", 2)?;
        root.insert("m", "a text that takes a block of its own")?;
        tx.rollback()?;
        assert_eq!(root.get("n")?, Some(0.into()));
        root.insert("after", 1).map(drop)
    })
    .unwrap();
    assert_eq!(root.get("m").unwrap(), None);
    assert_eq!(root.get("after").unwrap(), Some(1.into()));
    sound(&seg);
}

#[test]
fn a_failing_operation_is_undone_alone() {
    let seg = segment();
    let list = seg.list_of([1, 2, 3]).unwrap();
    seg.transaction(|_| {
        list.push("a text that takes a block of its own")?;
        assert!(list.set(100, 1).is_err());
        assert!(seg.queue("q", 0)?.get(NOW).is_err());
        list.push(5)
    })
    .unwrap();
    assert_eq!(list.len().unwrap(), 5);
    sound(&seg);
}

#[test]
fn a_transaction_inside_of_another_is_undone_alone() {
    let seg = segment();
    let root = seg.root();
    seg.transaction(|_| {
        root.insert("outer", "a text that takes a block of its own")?;
        let inner = seg.transaction(|_| {
            root.insert("inner", "another text that takes a block")?;
            root.remove("outer")?;
            stop::<()>()
        });
        assert!(inner.is_err());
        assert!(root.get("outer")?.is_some());
        seg.transaction(|_| root.insert("kept", 1).map(drop))
    })
    .unwrap();
    assert_eq!(root.len().unwrap(), 2);
    sound(&seg);
}

#[test]
fn handles_of_what_was_undone_are_empty_objects_of_their_own() {
    let seg = segment();
    let root = seg.root();
    let mut made = Vec::new();
    let _ = seg.transaction(|_| {
        for number in 0..200 {
            let list = seg.list_of([number, 2, 3])?;
            root.insert(number, &list)?;
            made.push(list);
        }
        stop::<()>()
    });
    assert_eq!(root.len().unwrap(), 0);
    let fresh: Vec<List> = (0..200).map(|number| seg.list_of([number]).unwrap()).collect();
    for list in &made {
        assert_eq!(list.len().unwrap(), 0);
        assert!(fresh.iter().all(|other| !other.same(list)));
        list.push("used again").unwrap();
    }
    assert!(fresh.iter().enumerate().all(|(n, list)| list.get_int(0).unwrap() == Some(n as i64)));
    drop(made);
    sound(&seg);
}

#[test]
fn a_large_transaction_moves_its_log_and_gives_it_back() {
    let seg = segment();
    let list = seg.list([]).unwrap();
    let blocks = seg.check().unwrap().blocks;
    for commit in [false, true] {
        let result = seg.transaction(|_| {
            for number in 0..5000 {
                list.push(format!("a longer text, number {number}"))?;
            }
            if commit { Ok(()) } else { stop() }
        });
        assert_eq!(result.is_ok(), commit);
        assert_eq!(list.len().unwrap(), if commit { 5000 } else { 0 });
        if !commit {
            assert_eq!(seg.check().unwrap().blocks, blocks);
        }
    }
    sound(&seg);
    list.clear().unwrap();
    sound(&seg);
}

#[test]
fn a_full_segment_refuses_an_operation_and_the_rest_can_be_committed() {
    let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20)).unwrap();
    let list = seg.list([]).unwrap();
    let mut stored = 0;
    seg.transaction(|_| {
        loop {
            match list.push(vec![7_u8; 9000]) {
                Ok(()) => stored += 1,
                Err(Error::SegmentFull { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    })
    .unwrap();
    assert_eq!(list.len().unwrap(), stored);
    sound(&seg);
}

#[test]
fn what_would_wait_for_others_is_refused_inside() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    let mut changes = seg.watch(&seg.root().into()).unwrap();
    seg.transaction(|_| {
        assert!(matches!(queue.get(None), Err(Error::InvalidArgument { .. })));
        assert!(matches!(changes.wait(None), Err(Error::InvalidArgument { .. })));
        assert!(matches!(seg.check(), Err(Error::InvalidArgument { .. })));
        assert!(matches!(seg.close(), Err(Error::InvalidArgument { .. })));
        Ok(())
    })
    .unwrap();
}

#[test]
fn whoever_watches_is_told_at_the_end() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| queue.get(Some(DEADLINE)));
        seg.transaction(|_| {
            queue.put(1, NOW)?;
            queue.put(2, NOW)
        })
        .unwrap();
        assert_eq!(consumer.join().unwrap().unwrap(), Value::Int(1));
    });
}
