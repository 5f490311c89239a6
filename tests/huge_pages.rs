//! Where the file system gives huge pages, a segment has them, and says so.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod mount;

use std::path::PathBuf;

use shm::{Segment, SegmentOptions};

const FOLDER: &str = "SHM_HUGE_FOLDER";
const BYTES: usize = 16 << 20;

/// Whether this kernel has them at all.
fn supported() -> bool {
    std::path::Path::new("/sys/kernel/mm/transparent_hugepage/shmem_enabled").exists()
}

#[test]
fn a_segment_on_a_tmpfs_with_huge_pages_is_mapped_by_them() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        let options = if supported() { c"huge=always,size=64m" } else { c"size=64m" };
        return mount::run_again(FOLDER, options);
    };
    let path = PathBuf::from(folder).join("huge");
    let segment = Segment::create("", SegmentOptions::new().path(path).size(1 << 30)).unwrap();
    let bytes = segment.bytearray(&vec![7; BYTES]).unwrap();
    segment.root().insert("bytes", &bytes).unwrap();
    let huge = segment.stats().unwrap().huge;
    if supported() {
        assert!(huge >= BYTES as u64 / 2, "{huge} bytes of at least {BYTES} by huge pages");
    } else {
        assert_eq!(huge, 0);
    }
    assert_eq!(bytes.to_vec().unwrap(), vec![7; BYTES]);
}
