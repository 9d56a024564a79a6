//! From a path to bytes, without ever reading more than allowed or blocking on a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::admit::admit;
use crate::admitted::Admitted;
use crate::options::Options;
use crate::refusal::Refusal;

/// A refusal together with the file it is about; reads `path: refusal`.
#[derive(Debug, thiserror::Error)]
#[error("{}: {refusal}", path.display())]
pub struct Rejected {
    /// The file as it was named.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub refusal: Refusal,
}

/// Reads and admits a file; the error names the file.
///
/// # Errors
/// As `read` and `admit`.
pub fn load(path: &Path, options: &Options) -> Result<Admitted, Rejected> {
    read(path, options.max_bytes)
        .and_then(|bytes| admit(bytes, options))
        .map_err(|refusal| Rejected { path: path.to_owned(), refusal })
}

/// Reads a whole regular file of at most `max_bytes` bytes.
///
/// # Errors
/// When it is missing, empty, too large, unreadable or not a regular file.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Refusal> {
    // Looked at before opening: to open a named pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Refusal::Directory);
    }
    if !metadata.is_file() {
        return Err(Refusal::NotAFile);
    }
    if metadata.len() > max_bytes {
        return Err(Refusal::TooLarge { size: metadata.len(), limit: max_bytes });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows a file that grew meanwhile.
    let file = File::open(path).map_err(unreadable)?;
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 {
        0 => Err(Refusal::Empty),
        size if size > max_bytes => Err(Refusal::TooLarge { size, limit: max_bytes }),
        _ => Ok(bytes),
    }
}

fn unreadable(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::Missing,
        _ => Refusal::Unreadable(error),
    }
}
