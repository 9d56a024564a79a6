//! The token of changing admin calls.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A new token, written to `admin-token` in `dir`, readable by this user alone.
///
/// # Errors
/// When the file can't be written.
pub fn make(dir: &Path) -> io::Result<(String, PathBuf)> {
    let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let file = dir.join("admin-token");
    // Written aside and renamed: a reader sees the old token or the new one, and rights of an old file don't matter.
    let aside = dir.join(format!(".admin-token-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
    written
        .and_then(|mut written| written.write_all(token.as_bytes()))
        .and_then(|()| std::fs::rename(&aside, &file))?;
    Ok((token, file))
}

/// Compares in a time that depends on the lengths alone.
pub fn equal(given: &[u8], token: &[u8]) -> bool {
    let differ = given.iter().zip(token).fold(0, |differ, (left, right)| differ | (left ^ right));
    given.len() == token.len() && std::hint::black_box(differ) == 0
}
