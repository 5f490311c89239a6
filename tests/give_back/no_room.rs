//! Holes that are filled where the file system has less room than they need.

use super::*;

/// Pages of the two holes.
const FIRST: u64 = 40;
const SECOND: u64 = 60;
const PAGE: u64 = 64 << 10;

/// Blocks that are free and few, in front of the holes: for what is small and comes first.
const FEW: std::ops::Range<usize> = 20..25;

/// Blocks of a page each, of which those in front and behind of one were freed and are holes, and that one is free.
fn two_holes(folder: &std::path::Path) -> (Segment, List) {
    let options = SegmentOptions::new().size(1 << 30).path(folder.join("two"));
    let segment = Segment::create("", options.lifetime(Lifetime::Last)).unwrap();
    segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
    let pages = segment.list_of((0..500).map(page)).unwrap();
    segment.root().insert("pages", &pages).unwrap();
    let between = 100 + FIRST as usize;
    let holes = (100..=between + SECOND as usize).filter(|index| *index != between);
    for index in FEW.chain(holes) {
        pages.set(index, Value::None).unwrap();
    }
    segment.gc().unwrap();
    assert_eq!(segment.stats().unwrap().holes, FIRST + SECOND);
    pages.set(between, Value::None).unwrap();
    (segment, pages)
}

/// A block of a page.
fn page(number: usize) -> Vec<u8> {
    vec![number as u8; 60_000]
}

fn assert_pages_are_there(segment: &Segment, pages: &List) {
    let freed = 100..=100 + (FIRST + SECOND) as usize;
    for index in (0..500).filter(|index| !freed.contains(index) && !FEW.contains(index)) {
        assert_eq!(pages.get(index).unwrap(), Some(page(index).into()));
    }
    assert_whole(segment);
    let stats = segment.stats().unwrap();
    // What the header counts as holes is what the directory says.
    let all = stats.sizes.iter().map(|size| size.pages).sum::<u64>() + stats.free_pages;
    assert_eq!(stats.used, all * PAGE, "{stats:?}");
}

/// Takes all that the file system has but so many bytes.
fn leave_room(folder: &std::path::Path, bytes: u64) -> File {
    let path = folder.join("rest");
    let mut file = File::create(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    while file.write_all(&[1; 1 << 12]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length - bytes).unwrap();
    file
}

/// Something that needs so many pages in a row.
fn take(segment: &Segment, pages: u64) -> shm::Result<()> {
    segment.root().insert("y", vec![4_u8; (pages * PAGE) as usize - 100]).map(drop)
}

/// Fills what was emptied where there is room for the first hole and not for the second.
fn with_room_for_one(work: fn(&Segment)) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    in_child(|| {
        // Who looks for pages again and again is ended.
        // SAFETY: takes no pointers.
        unsafe { libc::alarm(60) };
        let (segment, pages) = two_holes(&folder);
        let rest = leave_room(&folder, (FIRST + 5) * PAGE);
        work(&segment);
        assert_pages_are_there(&segment, &pages);
        drop(rest);
        // There is room for the second one too now.
        segment.root().remove("y").unwrap();
        take(&segment, SECOND).unwrap();
        let holes = segment.stats().unwrap().holes;
        assert!(holes < SECOND - 5, "{holes} are left");
        assert_pages_are_there(&segment, &pages);
        segment.close().unwrap();
    });
}

/// What was filled holds what was asked for, and the rest, but for small things, is a hole still.
fn assert_one_is_filled(segment: &Segment, pages: u64) {
    let stored = segment.root().get("y").unwrap();
    assert_eq!(stored, Some(vec![4_u8; (pages * PAGE) as usize - 100].into()));
    let holes = segment.stats().unwrap().holes;
    assert!((SECOND - 5..=SECOND).contains(&holes), "{holes}");
}

#[test]
fn what_was_filled_before_the_file_system_was_full_is_used() {
    with_room_for_one(|segment| {
        take(segment, 10).unwrap();
        assert_one_is_filled(segment, 10);
    });
}

#[test]
fn a_transaction_uses_what_was_filled_before_the_file_system_was_full() {
    with_room_for_one(|segment| {
        segment.transaction(|_| take(segment, 10)).unwrap();
        assert_one_is_filled(segment, 10);
    });
}

fn more_is_refused(segment: &Segment, refused: &shm::Result<()>) {
    assert!(matches!(refused, Err(Error::SegmentFull { .. })), "{refused:?}");
    assert_eq!(segment.root().get("y").unwrap(), None);
    take(segment, FIRST + 1).unwrap();
    assert_one_is_filled(segment, FIRST + 1);
}

#[test]
fn what_needs_more_than_could_be_filled_is_refused_and_nothing_is_lost() {
    with_room_for_one(|segment| more_is_refused(segment, &take(segment, FIRST + 20)));
}

#[test]
fn a_transaction_that_needs_more_than_could_be_filled_is_refused_and_nothing_is_lost() {
    with_room_for_one(|segment| {
        let refused = segment.transaction(|_| take(segment, FIRST + 20));
        more_is_refused(segment, &refused);
    });
}

#[test]
fn the_end_grows_where_there_is_no_room_for_the_holes() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    for in_transaction in [false, true] {
        in_child(|| {
            let (segment, pages) = two_holes(&folder);
            // No gap is so long, so this lies behind, and what growth took ahead behind it.
            let long = vec![5_u8; ((FIRST + SECOND + 20) * PAGE) as usize];
            segment.root().insert("long", long.as_slice()).unwrap();
            let stats = segment.stats().unwrap();
            let (ahead, before) = (stats.longest_free_run, stats.holes);
            assert!(ahead > 20, "{stats:?}");
            let rest = leave_room(&folder, 4 * PAGE);
            let taken = if in_transaction {
                segment.transaction(|_| take(&segment, ahead + 2))
            } else {
                take(&segment, ahead + 2)
            };
            taken.unwrap();
            let stats = segment.stats().unwrap();
            assert_eq!((stats.holes, stats.longest_free_run < ahead), (before, true));
            assert_eq!(segment.root().get("long").unwrap(), Some(long.into()));
            assert_pages_are_there(&segment, &pages);
            drop(rest);
            segment.close().unwrap();
        });
    }
}
