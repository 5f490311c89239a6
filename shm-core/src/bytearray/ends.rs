//! Positions in a bytearray counted from its end, as in `list`: 1 is the last byte, as of the operation's
//! own moment.

use crate::bytearray::ByteArray;
use crate::error::Result;
use crate::list::Place;

/// Each is one operation.
impl ByteArray {
    /// The byte so far from the end, or `None` before the front.
    pub fn get_from_end(&self, back: usize) -> Result<Option<u8>> {
        self.read_at(Place::Back(back))
    }

    /// Replaces the byte so far from the end.
    ///
    /// # Errors
    /// `IndexOutOfRange` before the front.
    pub fn set_from_end(&self, back: usize, byte: u8) -> Result<()> {
        self.write_at(Place::Back(back), byte)
    }

    /// Inserts a byte before the one so far from the end; before the front it goes to the front.
    pub fn insert_from_end(&self, back: usize, byte: u8) -> Result<()> {
        self.insert_at(Place::Back(back), byte)
    }

    /// Takes the byte so far from the end.
    ///
    /// # Errors
    /// `IndexOutOfRange` before the front.
    pub fn remove_from_end(&self, back: usize) -> Result<u8> {
        self.take_at(Place::Back(back))
    }
}
