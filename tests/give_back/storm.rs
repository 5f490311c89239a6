//! A storm on a small file system: processes that come, go, fork, collect and are killed, where others take and leave room.
//!
//! What each process does follows from a seed; when it is killed does not. After each round everything that is stored is
//! whole, the segment sound, and the file has memory where the directory says so, and nowhere else once all was given back.
//! `SHM_HOLES` says how many rounds; `make soak` has 2,000 of them. `SHM_SEED` begins with another one.

use super::*;

const KEYS: i64 = 20;
const PAGE: usize = 64 << 10;

fn number_of(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).unwrap()).join("storm")
}

fn come(readonly: bool) -> shm::Result<Segment> {
    Segment::attach("", SegmentOptions::new().path(path()).readonly(readonly))
}

/// What there is no room for is refused; nothing else is.
fn done<T>(result: shm::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::SegmentFull { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn content(key: i64, bytes: usize) -> Vec<u8> {
    vec![key as u8 + 1; bytes]
}

/// Whether what lies under a key is what somebody put there.
fn assert_is_of(key: i64, value: &Value) {
    match value {
        Value::Bytes(bytes) => assert!(bytes.iter().all(|byte| *byte == key as u8 + 1), "{key}"),
        Value::List(list) => {
            for (index, item) in list.to_vec().unwrap().into_iter().enumerate() {
                assert_eq!(item, text(index), "{key}");
            }
        }
        other => panic!("{other:?} at {key}"),
    }
}

fn look(segment: &Segment, key: i64) {
    // Gone again, with those who would have to be waited for: then it was looked at, and that is all.
    if let Some(value @ Value::Bytes(_)) = segment.root().get(key).unwrap() {
        assert_is_of(key, &value);
    }
}

/// One thing that a process does.
fn act(segment: &Segment, random: &mut fastrand::Rng) {
    let root = segment.root();
    let (key, pages) = (random.i64(0..KEYS), random.usize(1..40));
    match random.u32(..16) {
        0..=4 => drop(done(root.insert(key, content(key, pages * PAGE - 100)))),
        5 => {
            let texts = (0..random.usize(..4000)).map(text);
            let _ = done(segment.list_of(texts)).and_then(|list| done(root.insert(key, &list)));
        }
        6..=9 => drop(done(root.remove(key))),
        10 => drop(done(segment.gc())),
        11 => {
            let both = |_: &shm::Transaction| {
                root.remove(key)?;
                root.insert(key, content(key, pages * PAGE - 100))?;
                let other = (key + 1) % KEYS;
                root.insert(other, content(other, 100)).map(drop)
            };
            let _ = done(segment.transaction(both));
        }
        12 => {
            let stats = segment.stats().unwrap();
            assert!(stats.used <= stats.size + (1 << 20), "{stats:?}");
        }
        13 => {
            // A second attachment of the same process, and a child that looks.
            let Some(twin) = done(come(random.bool())) else { return };
            look(&twin, key);
            let child = processes::fork(|| {
                look(&twin, key);
                look(segment, key);
                0
            });
            assert_eq!(processes::wait(child), 0);
            twin.close().unwrap();
        }
        _ => look(segment, key),
    }
}

/// A process: it does so many things, and goes or comes anew now and then.
fn actor(seed: u64) -> libc::pid_t {
    processes::fork(|| {
        let work = move || {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..random.u32(1..4) {
                let readonly = random.u32(..6) == 0;
                let Some(segment) = done(come(readonly)) else { return };
                for _ in 0..random.u32(..40) {
                    if readonly {
                        look(&segment, random.i64(0..KEYS));
                    } else {
                        act(&segment, &mut random);
                    }
                }
                if random.bool() {
                    segment.close().unwrap();
                }
            }
        };
        i32::from(std::panic::catch_unwind(work).is_err())
    })
}

/// What must be so while nobody does anything.
fn assert_sound(segment: &Segment, round: u64) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "round {round}: {:?}", report.findings);
    for (key, value) in segment.root().to_vec().unwrap() {
        assert_is_of(key.as_int().unwrap(), &value);
    }
    let (stats, blocks) = (segment.stats().unwrap(), taken(segment));
    assert_eq!(stats.used, segment.used().unwrap(), "round {round}");
    // Where the directory says so, there is memory.
    assert!(blocks >= stats.used, "round {round}: {blocks} bytes, {stats:?}");
}

/// After all have gone or were killed.
fn assert_recovers(round: u64) {
    let Some(segment) = done(come(false)) else { return };
    assert_sound(&segment, round);
    if round.is_multiple_of(8) {
        segment.audit().unwrap();
        assert_sound(&segment, round);
    }
    let given = done(segment.gc()).map_or(0, |collected| collected.given_back);
    assert_sound(&segment, round);
    let (stats, blocks) = (segment.stats().unwrap(), taken(&segment));
    let length = std::fs::metadata(path()).unwrap().len();
    let most = length - stats.holes * PAGE as u64;
    assert!(given == 0 || blocks <= most, "round {round}: {blocks} of {most} bytes, {stats:?}");
    segment.close().unwrap();
}

#[test]
fn a_storm_leaves_memory_where_it_is_needed_and_nowhere_else() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    in_child(move || {
        let options = SegmentOptions::new().size(1 << 28).path(path()).lifetime(Lifetime::Manual);
        Segment::create("", options).unwrap().close().unwrap();
        let other = PathBuf::from(folder).join("other");
        let mut hog = File::create(&other).unwrap();
        let (first, rounds) = (number_of("SHM_SEED", 1), number_of("SHM_HOLES", 40));
        let (mut kills, mut full) = (0, 0);
        for round in first..first + rounds {
            let mut random = fastrand::Rng::with_seed(round);
            let actors: Vec<_> = (0..random.u32(1..4)).map(|_| actor(random.u64(..))).collect();
            // Somebody else takes room, and leaves it.
            for _ in 0..random.u32(..40) {
                if hog.write_all(&vec![1; random.usize(..2 << 20)]).is_err() {
                    full += 1;
                    hog.set_len(random.u64(..16 << 20)).unwrap();
                    std::io::Seek::seek(&mut hog, std::io::SeekFrom::End(0)).unwrap();
                }
            }
            for pid in actors {
                let dies = random.bool();
                if dies {
                    for _ in 0..random.u32(..1_000_000) {
                        std::hint::spin_loop();
                    }
                    // SAFETY: the child is ours and not yet waited for.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                }
                let ended = processes::wait(pid);
                kills += u32::from(ended != 0);
                assert!(ended == 0 || dies && ended == -libc::SIGKILL, "round {round}: {ended}");
            }
            assert_recovers(round);
        }
        println!("{rounds} rounds, {kills} killed, the file system was full {full} times");
        drop(hog);
        for path in [other, path()] {
            std::fs::remove_file(path).unwrap();
        }
    });
}
