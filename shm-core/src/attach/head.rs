//! The header of a file that may be a segment: a private copy, believed once it agrees with itself.
//!
//! What is checked here is all that is read before the file is mapped: nothing of it came from this process.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use zerocopy::{FromBytes, IntoBytes};

use crate::error::{Error, Result};
use crate::layout::{
    FORMAT, Geometry, HASH_SIPHASH13, HEADER_BYTES, KNOWN_FEATURES, LOCK_MODE_SEGMENT, MAGIC,
    MAX_SIZE, PAGE_BYTES, SegmentHeader, header,
};
use crate::sys::file::SegmentFile;

use super::Place;

/// A private copy of the header, once it agrees with itself and with what this build knows.
pub(crate) fn read_header(
    place: &Place,
    file: &SegmentFile,
    readonly: bool,
) -> Result<(SegmentHeader, Geometry)> {
    let len = file.len().map_err(|source| place.refused("size", source))?;
    let mut bytes = [0_u8; size_of::<SegmentHeader>()];
    if len < HEADER_BYTES || file.read_start(&mut bytes).is_err() {
        return Err(place.mismatch(format!(
            "is no shm segment: it has {len} bytes, less than the {HEADER_BYTES} of a header; it belongs to \
             another program, choose another name"
        )));
    }
    let image = SegmentHeader::read_from_bytes(&bytes)
        .map_err(|_| place.mismatch("has an unreadable header"))?;
    if image.magic != MAGIC {
        return Err(place.mismatch(format!(
            "is no shm segment: it starts with {:#018x}, not {MAGIC:#018x}; it belongs to another \
             program, choose another name",
            image.magic
        )));
    }
    let version = image.version as u32;
    if version != FORMAT {
        return Err(place.mismatch(format!(
            "has format {version}, this build reads {FORMAT}: recreate it or use the version of shm \
             that made it"
        )));
    }
    let unknown = (image.features[1] & !KNOWN_FEATURES[1])
        | if readonly { 0 } else { image.features[2] & !KNOWN_FEATURES[2] };
    if unknown != 0 {
        return Err(place.mismatch(format!(
            "uses features {unknown:#x} that this build does not know: upgrade shm here"
        )));
    }
    let geometry = geometry_of(&image);
    let consistent = image.checksum == checksum(&image)
        && geometry.ceiling * PAGE_BYTES == image.ceiling
        && image.page_bytes == PAGE_BYTES
        && image.lock_mode == LOCK_MODE_SEGMENT
        && image.hash_algorithm == HASH_SIPHASH13
        && geometry.data_at == image.data_at
        && geometry.directory_at == image.directory_at
        && geometry.max_size == image.max_size;
    if !consistent {
        return Err(Error::SegmentCorrupt {
            name: place.name.clone(),
            what: "its header contradicts itself (checksum or layout); restore it from a snapshot \
                   or recreate it"
                .to_owned(),
        });
    }
    Ok((image, geometry))
}

/// Where things lie in a segment with this header.
pub(crate) fn geometry_of(image: &SegmentHeader) -> Geometry {
    Geometry::new(image.ceiling.min(MAX_SIZE), image.slots & 0xFFFF_FFFF, image.slots >> 32)
}

/// The checksum of a header's constant words.
pub(crate) fn checksum(image: &SegmentHeader) -> u64 {
    let mut hasher = SipHasher13::new();
    let bytes = image.as_bytes();
    hasher.write(bytes.get(..header::CHECKSUM as usize).unwrap_or_default());
    hasher.finish()
}
