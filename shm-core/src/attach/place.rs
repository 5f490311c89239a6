//! A name, the file that it means, and the errors that name them.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where named segments live.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// A name and the file that it means.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Place {
    /// Of a name in [`DIRECTORY`], or of a path of the caller's choice.
    pub(crate) fn new(name: Option<&str>, path: Option<&Path>) -> Result<Self> {
        if let Some(path) = path {
            let name = name.filter(|name| !name.is_empty());
            let name = name.map_or_else(|| path.display().to_string(), str::to_owned);
            return Ok(Place { name, path: path.to_owned() });
        }
        let name = name.unwrap_or_default();
        let good = !name.is_empty()
            && name.len() <= 200
            && !name.starts_with('.')
            && !name.contains(['/', '\0']);
        if !good {
            return Err(Error::InvalidArgument {
                what: format!(
                    "segment name {name:?}: 1 to 200 bytes, no '/' and no leading '.'; use path= \
                     for a file elsewhere"
                ),
            });
        }
        Ok(Place { name: name.to_owned(), path: Path::new(DIRECTORY).join(name) })
    }

    pub(crate) fn exists(&self) -> Error {
        Error::SegmentExists { name: self.name.clone() }
    }

    pub(crate) fn not_found(&self) -> Error {
        Error::SegmentNotFound { name: self.name.clone() }
    }

    pub(crate) fn mismatch(&self, what: impl Into<String>) -> Error {
        Error::FormatMismatch { name: self.name.clone(), what: what.into() }
    }

    pub(crate) fn refused(&self, what: &str, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::NotFound => self.not_found(),
            _ => Error::Io { what: format!("{what} {}", self.path.display()), source },
        }
    }
}
