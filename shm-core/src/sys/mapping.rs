//! The mapped segment as bounds-checked atomic words.
//!
//! Guarantees: a word that this module hands out lies inside the mapping, is 8-aligned, and stays
//! mapped until the process exits (a mapping is never unmapped, because the kernel may write the
//! life word of a dying thread into it and because readers hold no lock; the addresses of one that nobody
//! knows any more are the next one's, see [`Mapping::recycle`]). The front of the mapping
//! (header, slots, directory) is handed out as it is; of the data pages behind it, only as much as the
//! callers said is backed by the file, and what lies behind the end of a file that was shortened, or
//! where it has a hole, is replaced by zeros until the file has something there again: so a word that was handed out
//! before can be read for ever. Whether an offset is aligned and inside is one comparison: its
//! distance from the region's start, rotated so that the low bits come on top, is the word's index.
//! No reference to anything but an `AtomicU64` is ever made, because other processes write here.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use memmap2::{MmapOptions, MmapRaw};

use crate::error::{Error, Result};
use crate::primitive::{AtomicU64, Ordering};

/// Handle. One segment's mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Invariants: (1) page-aligned and mapped for `words * 8` bytes; (2) never unmapped.
    base: *const AtomicU64,
    words: u64,
    /// Words in front of the data pages. Invariant: (3) at most `words`.
    front: u64,
    /// `front * 8`.
    data_at: u64,
    /// Where the data pages start: `front` words behind `base`.
    data: *const AtomicU64,
    /// Words of the data pages that are known to be backed. Invariant: (4) at most `words - front`.
    backed: AtomicU64,
    /// Where zeros begin that stand for what was cut off the file, in bytes; the end if nowhere.
    masked: AtomicU64,
    readonly: bool,
}

// SAFETY: (1) and (2) hold in every thread; the memory is reached as atomics only.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

/// Addresses that are reserved and nobody's, as zeros. Nobody waits for them, as a forked child may find them taken
/// by a thread that is not there any more: then new ones are used.
static SPARE: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Invariants: those of [`Mapping`].
struct Place {
    base: *const AtomicU64,
    words: u64,
}

// SAFETY: an address and a length; what is there is reached as atomics only.
unsafe impl Send for Place {}

impl Mapping {
    /// Maps `bytes` of the file from its start, beyond its end where it is shorter; the data pages start
    /// at `data_at`, and none of them is known to be backed.
    pub(crate) fn new(file: &File, bytes: u64, data_at: u64, readonly: bool) -> Result<Self> {
        let io = |source| Error::Io { what: format!("map {bytes} bytes of the segment"), source };
        let place = SPARE.try_lock().ok().and_then(|mut spare| {
            let fits = spare.iter().position(|place| place.words == bytes / 8)?;
            Some(spare.swap_remove(fits))
        });
        if let Some(place) = place {
            let again = Self::at(place.base, bytes, data_at, readonly);
            if again.put_file(0..bytes, file).is_ok() {
                return Ok(again);
            }
            // What failed may have taken away first what was there: these addresses are nobody's from now
            // on, and whether new ones will do is asked below.
        }
        let mut options = MmapOptions::new();
        options.len(bytes as usize);
        let raw = if readonly {
            // The pages stay read-only whatever `MmapRaw` could do: writes would fault, and the
            // read-only flag of the heap is what keeps writers from coming here.
            options.map_raw_read_only(file).map_err(io)?
        } else {
            options.map_raw(file).map_err(io)?
        };
        // A crash with a core dump must not wait for a dump of the whole segment (DESIGN 1.2);
        // failing only costs that time.
        let _ = raw.advise(memmap2::Advice::DontDump);
        // Taken where the system gives huge pages of shared memory on request; never needed.
        let _ = raw.advise(memmap2::Advice::HugePage);
        #[allow(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
        let base = raw.as_mut_ptr().cast::<AtomicU64>().cast_const();
        std::mem::forget::<MmapRaw>(raw);
        Ok(Self::at(base, bytes, data_at, readonly))
    }

    /// Of `bytes` that are mapped for good.
    fn at(base: *const AtomicU64, bytes: u64, data_at: u64, readonly: bool) -> Self {
        let (words, front) = (bytes / 8, data_at.min(bytes) / 8);
        // SAFETY: at most `words` are in front, so the result is inside of the mapping or at its end.
        let data = unsafe { base.add(front as usize) };
        let (backed, masked) = (AtomicU64::new(0), AtomicU64::new(words * 8));
        Mapping { base, words, front, data_at: front * 8, data, backed, masked, readonly }
    }

    /// Leaves the addresses to the next mapping of this size. It is given back (see [`Mapping::detach`]),
    /// the caller knows of nobody who has a word of it, and no thread has named one to the kernel.
    ///
    /// That is for the sake of the content: what still had a word would see another segment's. Memory
    /// stays mapped, and is atomics, whatever callers do.
    pub(crate) fn recycle(&self) {
        if let Ok(mut spare) = SPARE.try_lock() {
            spare.push(Place { base: self.base, words: self.words });
        }
    }

    fn access(&self) -> i32 {
        libc::PROT_READ | if self.readonly { 0 } else { libc::PROT_WRITE }
    }

    /// Bytes of the data pages that are known to be backed.
    #[inline]
    pub(crate) fn backed(&self) -> u64 {
        self.backed.load(Ordering::Relaxed) * 8
    }

    /// So many bytes of the data pages are backed, if no more were known to be.
    pub(crate) fn extend_backed(&self, bytes: u64) {
        self.backed.fetch_max((bytes / 8).min(self.words - self.front), Ordering::Relaxed);
    }

    /// None of the data pages is handed out from now on, or until the next [`Mapping::extend_backed`].
    pub(crate) fn forget_backed(&self) {
        // SeqCst: on no hot path, and whoever closes wants every thread to see it soon.
        self.backed.store(0, Ordering::SeqCst);
    }

    /// Which word of the data pages an offset is of; beyond all of them if it is of none.
    #[inline]
    fn index(&self, at: u64) -> u64 {
        at.wrapping_sub(self.data_at).rotate_right(3)
    }

    /// The word at an offset in front of the data pages.
    #[inline]
    #[must_use]
    pub(crate) fn front_word(&self, at: u64) -> Option<&AtomicU64> {
        let index = at.rotate_right(3);
        if index >= self.front {
            return None;
        }
        // SAFETY: `index` is below `front`, so by (3) and (1) the result is inside of the mapping.
        let pointer = unsafe { self.base.add(index as usize) };
        // SAFETY: mapped and aligned by (1), for as long as `self` by (2); atomics may be shared.
        Some(unsafe { &*pointer })
    }

    /// `count` words from an offset on, all in front of the data pages. They stay there until the process
    /// exits, also when the segment is closed: then they read as zeros.
    #[inline]
    #[must_use]
    pub(crate) fn front_words(&self, at: u64, count: u64) -> Option<&'static [AtomicU64]> {
        let index = at.rotate_right(3);
        if index > self.front || count > self.front - index {
            return None;
        }
        // SAFETY: `index` and `count` words from there on are inside of the front (3).
        Some(unsafe { slice(self.base, index, count) })
    }

    /// The word at an offset in the data pages that are known to be backed.
    #[inline]
    #[must_use]
    pub(crate) fn data_word(&self, at: u64) -> Option<&AtomicU64> {
        let index = self.index(at);
        if index >= self.backed.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: `index` is below `backed`, so by (4) and (1) the result is inside of the mapping.
        let pointer = unsafe { self.data.add(index as usize) };
        // SAFETY: mapped and aligned by (1), for as long as `self` by (2); atomics may be shared.
        Some(unsafe { &*pointer })
    }

    /// As [`Mapping::front_words`], in the data pages that are known to be backed.
    #[inline]
    #[must_use]
    pub(crate) fn data_words(&self, at: u64, count: u64) -> Option<&'static [AtomicU64]> {
        let index = self.index(at);
        let backed = self.backed.load(Ordering::Relaxed);
        if index > backed || count > backed - index {
            return None;
        }
        // SAFETY: `index` and `count` words from there on are inside of the backed pages (4).
        Some(unsafe { slice(self.data, index, count) })
    }
}

/// # Safety
/// (a) `count` words from `start + index` on are inside of a mapping.
#[inline]
unsafe fn slice(start: *const AtomicU64, index: u64, count: u64) -> &'static [AtomicU64] {
    // SAFETY: by (a) the pointer stays inside of the mapping (1).
    let pointer = unsafe { start.add(index as usize) };
    // SAFETY: by (a) `count` words from there are mapped (1) and stay so for ever (2).
    unsafe { std::slice::from_raw_parts(pointer, count as usize) }
}

impl Mapping {
    /// First address and the one behind the last page.
    fn range(&self) -> (usize, usize) {
        let start = self.base.addr();
        (start, (start + (self.words * 8) as usize).next_multiple_of(4096))
    }

    /// The byte offset of a word of the mapping.
    #[inline]
    pub(crate) fn offset_of(&self, word: &AtomicU64) -> u64 {
        std::ptr::from_ref(word).addr().wrapping_sub(self.base.addr()) as u64
    }

    /// Replaces what lies behind so many bytes of data pages by zeros, and hands nothing of it out from now
    /// on, or until the next [`Mapping::unmask`]. Who has a word of it reads the old content or zeros.
    pub(crate) fn mask(&self, bytes: u64) -> std::io::Result<()> {
        // SeqCst: on no hot path, as in `forget_backed`.
        self.backed.fetch_min(bytes / 8, Ordering::SeqCst);
        let at = self.data_at + bytes;
        if at >= self.masked.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.put_zeros(at..self.words * 8, &[libc::MADV_DONTDUMP])?;
        self.masked.store(at, Ordering::Relaxed);
        Ok(())
    }

    /// Maps the file again where zeros stand for so many bytes of data pages, which the file has. No
    /// further: some thread may still be on its way to what lies behind. Any number of threads may do this
    /// at a time.
    pub(crate) fn unmask(&self, file: &File, bytes: u64) -> std::io::Result<()> {
        let (at, end) = (self.masked.load(Ordering::Relaxed), self.data_at + bytes);
        if at >= end {
            return Ok(());
        }
        self.put_file(at..end, file)?;
        self.masked.fetch_max(end, Ordering::Relaxed);
        Ok(())
    }

    /// Replaces a part of the data pages by zeros, until [`Mapping::uncover`].
    pub(crate) fn cover(&self, part: Range<u64>) -> std::io::Result<()> {
        // There may be a thousand, of which each system call is felt; and no dump has what nobody has written.
        self.put_zeros(self.of_data(part), &[])
    }

    /// Maps the file again where zeros stand for a part of the data pages, which the file has.
    pub(crate) fn uncover(&self, file: &File, part: Range<u64>) -> std::io::Result<()> {
        self.put_file(self.of_data(part), file)
    }

    fn of_data(&self, part: Range<u64>) -> Range<u64> {
        self.data_at.saturating_add(part.start)..self.data_at.saturating_add(part.end)
    }

    /// Replaces a part of the range by zeros.
    fn put_zeros(&self, part: Range<u64>, advice: &[i32]) -> std::io::Result<()> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let both = libc::PROT_READ | libc::PROT_WRITE;
        // Where the system promises no more memory than it has (vm.overcommit_memory = 2), it may refuse after it has
        // taken away what was there. What nobody may write needs no promise, and nobody does who is in his senses.
        self.map_again(part.clone(), both, flags, -1, advice)
            .or_else(|_| self.map_again(part, libc::PROT_READ, flags, -1, advice))
    }

    /// Maps the file anew in a part of the range.
    fn put_file(&self, part: Range<u64>, file: &File) -> std::io::Result<()> {
        let advice = &[libc::MADV_DONTDUMP, libc::MADV_HUGEPAGE];
        self.map_again(part, self.access(), libc::MAP_SHARED, file.as_raw_fd(), advice)
    }

    /// Maps a part of the range anew; both ends are multiples of the page size.
    fn map_again(
        &self,
        part: Range<u64>,
        access: i32,
        flags: i32,
        fd: i32,
        advice: &[i32],
    ) -> std::io::Result<()> {
        let end = part.end.min(self.words * 8);
        let Some(bytes) = end.checked_sub(part.start).filter(|bytes| *bytes > 0) else {
            return Ok(());
        };
        let start = self.base.cast_mut().wrapping_byte_add(part.start as usize).cast();
        let (bytes, flags) = (bytes as usize, flags | libc::MAP_FIXED);
        let at = part.start as libc::off_t;
        // SAFETY: replaces a part of the range of (1), from a page's start to a page's end, by memory of
        // the same kind: all of it stays mapped (2), and is atomics to whoever looks at it.
        let mapped = unsafe { libc::mmap(start, bytes, access, flags, fd, at) };
        if mapped == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        for advice in advice {
            // SAFETY: the range is the one just mapped. Failing is no matter.
            unsafe { libc::madvise(mapped, bytes, *advice) };
        }
        Ok(())
    }

    /// A link to the mapped file that needs no descriptor, for those who may use it.
    pub(crate) fn link(&self) -> PathBuf {
        let start = format!("{:x}-", self.base.addr());
        // As the kernel has it: where zeros stand for something, it ends before that.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let part = maps.lines().find(|line| line.starts_with(&start)).and_then(|line| {
            let (part, _) = line.split_once(' ')?;
            Some(part.to_owned())
        });
        Path::new("/proc/self/map_files").join(part.unwrap_or(start))
    }

    /// Bytes that this process has mapped by huge pages, as the kernel tells (`smaps`, which walks the
    /// pages of all maps, so the machine is asked first whether anybody has any).
    pub(crate) fn huge_bytes(&self) -> std::io::Result<u64> {
        let machine = std::fs::read_to_string("/proc/meminfo")?;
        let of_all = machine.lines().find_map(|line| line.strip_prefix("ShmemPmdMapped:"));
        if of_all.is_none_or(|size| size.trim() == "0 kB") {
            return Ok(0);
        }
        let (start, end) = self.range();
        let smaps = std::fs::read_to_string("/proc/self/smaps")?;
        let (mut inside, mut kib) = (false, 0);
        for line in smaps.lines() {
            if let Some(size) = line.strip_prefix("ShmemPmdMapped:").filter(|_| inside) {
                kib += size.trim().trim_end_matches(" kB").parse().unwrap_or(0);
            } else if let Some((first, _)) = line.split_once('-')
                && let Ok(first) = usize::from_str_radix(first, 16)
            {
                inside = (start..end).contains(&first);
            }
        }
        Ok(kib * 1024)
    }

    /// Gives the segment's memory back: the addresses stay reserved and read as zeros from now on,
    /// so that neither a reader in another thread nor the kernel's last write to a life word meets
    /// foreign memory.
    ///
    /// # Errors
    /// The process has as many maps as it may have: all is as it was.
    pub(crate) fn detach(&self) -> std::io::Result<()> {
        self.put_zeros(0..self.words * 8, &[libc::MADV_DONTDUMP])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_where_mapping_failed_are_not_used_again() {
        // A size of its own: other tests map too.
        const BYTES: u64 = 37 * 4096;
        let path = std::env::temp_dir().join(format!("shm-mapping-{}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let readable = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(BYTES).unwrap();
        let map = || Mapping::new(&file, BYTES, 4096, false).unwrap();
        let leave = |mapping: Mapping| {
            mapping.detach().unwrap();
            mapping.recycle();
            mapping.base
        };
        let first = leave(map());
        let again = map();
        assert_eq!(again.base, first);
        leave(again);
        Mapping::new(&readable, BYTES, 4096, false).unwrap_err();
        assert_ne!(map().base, first);
    }
}
