//! What is free in front of the end goes back too, as holes, and is filled again while nobody else is there.

use super::*;

/// A segment of which much was freed in front of something that stays.
fn hollow(name: &str) -> Segment {
    let segment = create(name);
    hollow_out(&segment);
    segment
}

fn hollow_out(segment: &Segment) {
    segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
    fill(segment);
    segment.root().insert("last", vec![3_u8; 2 << 20]).unwrap();
    segment.root().remove("much").unwrap();
}

fn length(segment: &Segment) -> u64 {
    std::fs::metadata(segment.path().unwrap()).unwrap().len()
}

fn holes(segment: &Segment) -> u64 {
    segment.stats().unwrap().holes
}

/// Collects, and asserts that nearly all was given back, but not from the end.
#[track_caller]
fn all_of_the_middle_is_given(segment: &Segment) {
    let (before, used, file) = (taken(segment), segment.used().unwrap(), length(segment));
    let given = segment.gc().unwrap().given_back;
    assert!(given > MUCH, "{given} of {before}");
    assert_eq!(segment.used().unwrap(), used - given);
    assert!(taken(segment) + given <= before, "{} of {before} are left", taken(segment));
    assert!(taken(segment) < 6 * MIB, "{} of {before} are left", taken(segment));
    assert!(length(segment) > MUCH && length(segment) <= file);
    assert_eq!(segment.stats().unwrap().used, segment.used().unwrap());
    assert!(holes(segment) * (64 << 10) > MUCH);
    assert_all_there(segment);
}

#[track_caller]
fn assert_all_there(segment: &Segment) {
    assert_eq!(segment.root().get("last").unwrap(), Some(vec![3_u8; 2 << 20].into()));
    assert_whole(segment);
}

#[test]
fn what_is_free_in_front_of_what_stays_goes_back_and_is_filled_again() {
    alone(|| {
        let segment = hollow(&fresh_name());
        for _ in 0..3 {
            all_of_the_middle_is_given(&segment);
            let (file, free) = (length(&segment), holes(&segment));
            fill(&segment);
            assert!(holes(&segment) < free / 2, "{} of {free} are left", holes(&segment));
            assert!(length(&segment) < file + 6 * MIB, "{file} became {}", length(&segment));
            assert!(taken(&segment) > MUCH);
            assert_all_there(&segment);
            segment.root().remove("much").unwrap();
        }
        // Once the last of it goes, all of it is the end.
        segment.gc().unwrap();
        segment.root().remove("last").unwrap();
        segment.gc().unwrap();
        assert!(length(&segment) < 40 * MIB && holes(&segment) == 0, "{}", length(&segment));
        assert!(taken(&segment) < 3 * MIB);
        assert_whole(&segment);
    });
}

#[test]
fn late_and_small_things_keep_nothing_in_front_of_them() {
    alone(|| {
        let segment = create(&fresh_name());
        let many = segment.list_of((0..200_000).map(text)).unwrap();
        let objects: Vec<_> = (0..20_000).map(|n| segment.list_of([n]).unwrap()).collect();
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        let lists: Vec<_> = (0..1000).map(|n| segment.list_of([n]).unwrap()).collect();
        assert!(taken(&segment) > 15 * MIB);
        drop((many, objects));
        segment.gc().unwrap();
        assert!(taken(&segment) < 3 * MIB, "{} are left", taken(&segment));
        for (n, list) in lists.iter().enumerate() {
            assert_eq!(list.get_int(0).unwrap(), Some(n as i64));
        }
        assert_whole(&segment);
    });
}

#[test]
fn who_comes_later_sees_all_and_takes_nothing_of_the_holes() {
    alone(|| {
        let name = fresh_name();
        let look = |name: &str, readonly| {
            let options = SegmentOptions::new().readonly(readonly);
            let segment = Segment::attach(name, options).unwrap();
            assert_all_there(&segment);
            segment
        };
        let mut others = [false, true].map(|readonly| {
            let name = name.clone();
            Other::new(move || look(&name, readonly))
        });
        let segment = hollow(&name);
        all_of_the_middle_is_given(&segment);
        let before = holes(&segment);
        let mut child = Other::by(fork_raw, || assert_all_there(&segment));
        child.start();
        child.end();
        for other in &mut others {
            other.start();
            assert!(taken(&segment) < 6 * MIB, "{} are taken", taken(&segment));
        }
        // What is needed meanwhile is taken behind the end.
        let file = length(&segment);
        fill(&segment);
        assert!(length(&segment) > file + MUCH / 2, "{file} became {}", length(&segment));
        assert_eq!(holes(&segment), before);
        segment.root().remove("much").unwrap();
        // The second has the pipes of the first.
        others.into_iter().rev().for_each(Other::end);
        segment.reap().unwrap();
        segment.gc().unwrap();
        assert!(taken(&segment) < 6 * MIB, "{} are left", taken(&segment));
        fill(&segment);
        assert!(holes(&segment) < before, "they are filled now");
        assert_all_there(&segment);
    });
}

#[test]
fn readers_in_other_threads_go_on_while_holes_come_and_go() {
    alone(|| {
        let segment = create(&fresh_name());
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        let busy = segment.list_of(0..300_000).unwrap();
        segment.root().insert("busy", &busy).unwrap();
        segment.root().insert("last", vec![3_u8; 2 << 20]).unwrap();
        busy.clear().unwrap();
        let (ended, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| read_on(&segment, &ended, &reads));
            }
            let mut made = 0;
            for _ in 0..20 {
                come_and_go(&segment, &busy, &reads);
                made += usize::from(holes(&segment) > 16);
            }
            ended.store(true, Ordering::Relaxed);
            assert!(made > 10, "{made} of 20 rounds made holes");
        });
        assert_all_there(&segment);
    });
}

#[test]
fn the_room_of_holes_is_not_missed_while_others_are_there() {
    alone(|| {
        let name = fresh_name();
        let mut other = Other::new(|| attach(&name));
        let segment = Segment::create(&name, options().size(40 << 20)).unwrap();
        hollow_out(&segment);
        segment.gc().unwrap();
        let before = holes(&segment);
        assert!(before * (64 << 10) > MUCH);
        other.start();
        let list = segment.list_of([0_i64; 0]).unwrap();
        let full = loop {
            if let Err(error) = list.push(vec![1_u8; 100_000]) {
                break error;
            }
        };
        let Error::SegmentFull { used, size, .. } = full else { panic!("{full}") };
        assert_eq!((used, size), (segment.used().unwrap(), segment.size()));
        assert!(used > size - MIB, "{used} of {size}");
        assert_eq!(holes(&segment), before);
        other.end();
        segment.reap().unwrap();
        // Not beyond the ceiling, now that they could be filled.
        assert!(matches!(list.push(vec![1_u8; 3 << 20]), Err(Error::SegmentFull { .. })));
        assert!(segment.used().unwrap() <= size);
        assert_all_there(&segment);
        drop(list);
        fill(&segment);
        assert!(segment.used().unwrap() <= size);
        assert_all_there(&segment);
    });
}

#[test]
fn a_snapshot_of_holes_is_restored_with_them() {
    alone(|| {
        let (name, path) = (fresh_name(), std::env::temp_dir().join(fresh_name()));
        let segment = hollow(&name);
        all_of_the_middle_is_given(&segment);
        segment.snapshot(&path).unwrap();
        assert!(std::fs::metadata(&path).unwrap().blocks() * 512 < 6 * MIB);
        let restored = Segment::restore(&path, &fresh_name(), options()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(taken(&restored) < 6 * MIB, "{} are taken", taken(&restored));
        assert_eq!(holes(&restored), holes(&segment));
        assert_all_there(&restored);
        let file = length(&restored);
        fill(&restored);
        assert!(holes(&restored) < holes(&segment) && length(&restored) < file + 6 * MIB);
        assert_all_there(&restored);
    });
}

#[test]
fn an_audit_leaves_holes_as_they_are() {
    alone(|| {
        let segment = hollow(&fresh_name());
        all_of_the_middle_is_given(&segment);
        let before = holes(&segment);
        segment.audit().unwrap();
        assert_eq!(holes(&segment), before);
        assert!(taken(&segment) < 6 * MIB);
        assert_all_there(&segment);
    });
}

#[test]
fn a_full_file_system_ends_nobody_who_looks_and_refuses_to_fill() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    in_child(|| {
        let path = folder.join("hollow");
        let options = || SegmentOptions::new().size(1 << 30).path(&path);
        let mut other = Other::new(|| {
            let segment =
                Segment::attach("", SegmentOptions::new().path(&path).readonly(true)).unwrap();
            assert_all_there(&segment);
            segment
        });
        let segment = Segment::create("", options().lifetime(Lifetime::Last)).unwrap();
        hollow_out(&segment);
        all_of_the_middle_is_given(&segment);
        let before = holes(&segment);
        let rest = folder.join("rest");
        let mut file = File::create(&rest).unwrap();
        while file.write_all(&[1; 1 << 12]).is_ok() {}
        other.start();
        assert_all_there(&segment);
        other.end();
        segment.reap().unwrap();
        let list = segment.list_of([0_i64; 0]).unwrap();
        let full = loop {
            if let Err(error) = list.push(vec![1_u8; 100_000]) {
                break error;
            }
        };
        assert!(matches!(full, Error::SegmentFull { .. }), "{full}");
        assert_eq!(holes(&segment), before);
        assert_all_there(&segment);
        drop((list, file));
        std::fs::remove_file(rest).unwrap();
        fill(&segment);
        assert!(holes(&segment) < before);
        assert_all_there(&segment);
        segment.close().unwrap();
    });
}
