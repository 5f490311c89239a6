//! Snapshots: whole, of one moment, refused when damaged, and restored without what processes held.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shm::{Error, Segment, SegmentOptions, Value};

/// A file of its own in a folder that is removed in the end.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("shm-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Files(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap()
}

/// Restored under a name of its own, which goes with it.
fn restored(files: &Files, snapshot: &str) -> Result<Segment, Error> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("restored-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Segment::restore(files.at(snapshot), &name, SegmentOptions::new())
}

fn sound(seg: &Segment) {
    assert_eq!(seg.check().unwrap().findings, Vec::<String>::new());
}

fn fill(seg: &Segment) {
    let list = seg.list_of((0..1000).map(|number| format!("item {number} of the list"))).unwrap();
    let dict = seg.dict((0..100).map(|number| (number, number * 2))).unwrap();
    dict.set("list", &list).unwrap();
    seg.root().set("dict", &dict).unwrap();
    seg.root().set("set", seg.set(["a", "b"]).unwrap()).unwrap();
    seg.root().set("bytes", seg.bytearray(&vec![7; 300_000]).unwrap()).unwrap();
    seg.queue("jobs", 0).unwrap().put("job", None).unwrap();
}

fn is_filled(seg: &Segment) {
    let dict = seg.root().get("dict").unwrap().unwrap();
    let dict = dict.as_dict().unwrap();
    assert_eq!(dict.len().unwrap(), 101);
    assert_eq!(dict.get(99).unwrap(), Some(Value::Int(198)));
    let list = dict.get("list").unwrap().unwrap();
    let list = list.as_list().unwrap().to_vec().unwrap();
    assert_eq!(list.len(), 1000);
    assert!(list.iter().enumerate().all(|(n, item)| *item == *format!("item {n} of the list")));
    assert!(seg.root().get("set").unwrap().unwrap().as_set().unwrap().contains("b").unwrap());
    let bytes = seg.root().get("bytes").unwrap().unwrap();
    assert_eq!(bytes.as_bytearray().unwrap().to_vec().unwrap(), vec![7; 300_000]);
    assert_eq!(seg.queue("jobs", 0).unwrap().get(None).unwrap(), Value::from("job"));
}

#[test]
fn a_restored_segment_has_what_the_snapshot_had_and_goes_its_own_way() {
    let (files, seg) = (Files::new(), segment());
    fill(&seg);
    let held = seg.list_of(["only a handle of this process holds this list"]).unwrap();
    let bytes = seg.snapshot(files.at("s")).unwrap();
    assert_eq!(fs::metadata(files.at("s")).unwrap().len(), bytes);
    seg.root().clear().unwrap();
    let again = restored(&files, "s").unwrap();
    sound(&again);
    is_filled(&again);
    assert_eq!(again.size(), seg.size());
    assert_ne!(again.uuid().unwrap(), seg.uuid().unwrap());
    again.gc().unwrap();
    // Nobody there has the list of the handle.
    let once_more = again.check().unwrap();
    drop(held);
    assert_eq!((once_more.garbage, once_more.findings.len()), (0, 0));
    again.root().set("new", 1).unwrap();
    assert!(seg.root().is_empty().unwrap());
    let peers = again.peers().unwrap();
    assert_eq!(peers.iter().map(|peer| peer.pid).collect::<Vec<_>>(), [std::process::id()]);
    // What is restored can be kept again.
    again.snapshot(files.at("s")).unwrap();
    let third = restored(&files, "s").unwrap();
    assert_eq!(third.root().get("new").unwrap(), Some(Value::Int(1)));
}

#[test]
fn writers_at_work_are_seen_between_two_operations() {
    const SUM: i64 = 1000;
    let (files, seg) = (Files::new(), segment());
    let accounts = seg.list_of([SUM, 0, 0, 0]).unwrap();
    seg.root().set("accounts", &accounts).unwrap();
    let (done, name) = (AtomicBool::new(false), seg.name().to_owned());
    std::thread::scope(|scope| {
        for writer in 0..3_usize {
            let (done, name) = (&done, &name);
            scope.spawn(move || {
                let seg = Segment::attach(name, SegmentOptions::new()).unwrap();
                let accounts = seg.root().get("accounts").unwrap().unwrap();
                let accounts = accounts.as_list().unwrap();
                let mut round = 0_i64;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    seg.transaction(|_| {
                        accounts.add(writer, -1)?;
                        accounts.add(writer + 1, 1)?;
                        seg.root().set(format!("{writer} {}", round % 50), vec![1_u8; 2000])
                    })
                    .unwrap();
                }
            });
        }
        for _ in 0..10 {
            seg.snapshot(files.at("s")).unwrap();
            let again = restored(&files, "s").unwrap();
            sound(&again);
            let accounts = again.root().get("accounts").unwrap().unwrap();
            let sum: i64 = accounts
                .as_list()
                .unwrap()
                .to_vec()
                .unwrap()
                .iter()
                .map(|amount| amount.as_int().unwrap())
                .sum();
            assert_eq!(sum, SUM);
        }
        done.store(true, Ordering::Relaxed);
    });
    sound(&seg);
}

#[test]
fn locks_that_were_held_come_with_the_news_that_their_owner_died() {
    let (files, seg) = (Files::new(), segment());
    let lock = seg.lock("ledger").unwrap();
    let guard = lock.acquire(None).unwrap();
    let inner = seg.list_of([1]).unwrap();
    seg.root().set("list", &inner).unwrap();
    let gate = inner.lock().unwrap();
    let hold = gate.acquire(None).unwrap();
    seg.snapshot(files.at("s")).unwrap();
    drop((guard, hold));
    let again = restored(&files, "s").unwrap();
    assert!(again.lock("ledger").unwrap().acquire(None).unwrap().owner_died());
    let list = again.root().get("list").unwrap().unwrap();
    list.as_list().unwrap().push(2).unwrap();
    sound(&again);
}

#[test]
fn empty_pages_take_no_room_in_the_file() {
    let (files, seg) = (Files::new(), segment());
    seg.root().set("zeros", seg.bytearray(&vec![0; 20 << 20]).unwrap()).unwrap();
    let bytes = seg.snapshot(files.at("s")).unwrap();
    let meta = fs::metadata(files.at("s")).unwrap();
    assert!(bytes > 20 << 20);
    assert!(meta.blocks() * 512 < 2 << 20, "{} blocks", meta.blocks());
    assert_eq!(meta.mode() & 0o777, 0o600);
}

#[test]
fn only_snapshots_are_replaced_and_only_snapshots_are_restored() {
    let (files, seg) = (Files::new(), segment());
    fs::write(files.at("letter"), "dear reader").unwrap();
    let error = seg.snapshot(files.at("letter")).unwrap_err();
    assert!(error.to_string().contains("is no snapshot"), "{error}");
    assert_eq!(fs::read(files.at("letter")).unwrap(), b"dear reader");
    let here = SegmentOptions::new().path(files.at("here"));
    let other = Segment::create("", here.clone()).unwrap();
    other.root().set("n", 1).unwrap();
    assert!(seg.snapshot(files.at("here")).is_err());
    other.close().unwrap();
    assert!(seg.snapshot(files.at("here")).is_err());
    let error = restored(&files, "here").unwrap_err();
    assert!(error.to_string().contains("is a segment"), "{error}");
    let error = restored(&files, "letter").unwrap_err();
    assert!(matches!(error, Error::FormatMismatch { .. }), "{error}");
    // What belongs to others is not to be removed.
    assert!(error.to_string().contains("no shm segment: it has 11 bytes"), "{error}");
    let attached = Segment::attach("", SegmentOptions::new().path(files.at("letter")));
    let error = attached.unwrap_err().to_string();
    assert!(error.contains("another program") && !error.contains("remove"), "{error}");
    let error = restored(&files, "nothing").unwrap_err();
    assert!(matches!(error, Error::SnapshotNotFound { .. }), "{error}");
    assert!(!error.to_string().contains("create"), "{error}");
    seg.snapshot(files.at("s")).unwrap();
    let error = Segment::attach("", SegmentOptions::new().path(files.at("s"))).unwrap_err();
    assert!(error.to_string().contains("is a snapshot"), "{error}");
    let error = Segment::restore(files.at("s"), seg.name(), SegmentOptions::new()).unwrap_err();
    assert!(matches!(error, Error::SegmentExists { .. }), "{error}");
    let error = seg.snapshot(files.at("no/such/folder")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let error = seg.transaction(|_| seg.snapshot(files.at("t"))).unwrap_err();
    assert!(error.to_string().contains("transaction"), "{error}");
    assert_eq!(Segment::attach("", here).unwrap().root().get("n").unwrap(), Some(Value::Int(1)));
    assert_eq!(fs::read_dir(&files.0).unwrap().count(), 3, "nothing half done stays");
}

#[test]
fn a_damaged_snapshot_is_refused_or_whole() {
    let (files, seg) = (Files::new(), segment());
    fill(&seg);
    seg.snapshot(files.at("s")).unwrap();
    let whole = fs::read(files.at("s")).unwrap();
    let data_at = whole.len() as u64 - seg.used().unwrap();
    for length in [0, 100, 4096, data_at, whole.len() as u64 - 65_536, whole.len() as u64 - 1] {
        fs::write(files.at("cut"), whole.get(..length as usize).unwrap()).unwrap();
        let error = restored(&files, "cut").unwrap_err();
        assert!(
            matches!(error, Error::SegmentCorrupt { .. } | Error::FormatMismatch { .. }),
            "{length}: {error}"
        );
    }
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..100 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        fs::copy(files.at("s"), files.at("bad")).unwrap();
        let bad = fs::OpenOptions::new().read(true).write(true).open(files.at("bad")).unwrap();
        // In the header as often as in the data.
        let within = if state & 1 == 0 { 4096 } else { seg.used().unwrap() };
        let base = if state & 1 == 0 { 0 } else { data_at };
        let at = base + (state >> 20) % (within / 8) * 8;
        let mut word = [0; 8];
        bad.read_exact_at(&mut word, at).unwrap();
        bad.write_all_at(&(u64::from_le_bytes(word) ^ (1 << (state >> 58))).to_le_bytes(), at)
            .unwrap();
        let error = restored(&files, "bad").unwrap_err();
        assert!(
            matches!(error, Error::SegmentCorrupt { .. } | Error::FormatMismatch { .. }),
            "{at}: {error}"
        );
    }
}
