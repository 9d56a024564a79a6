//! The text of a manifest and places in it. Nothing here interprets TOML.
//! Each diagnostic points into a `Source` by `Span`; `render.rs` turns the two into text.
//! Files are read here, and nowhere else in this crate.

use crate::{Diagnostic, Span, codes};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest manifest that is read, in bytes. A real one has a few kilobytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// One manifest as typed: where it came from, and its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// As the user would write it; shown in messages, never opened again.
    pub path: PathBuf,
    /// At most [`MAX_BYTES`] long.
    pub text: String,
    /// Why the bytes aren't a manifest at all (too large, not UTF-8). `check` reports it.
    damage: Option<Box<Diagnostic>>,
}

impl Source {
    /// A source from text that is already in memory. A text above [`MAX_BYTES`] is refused by `check`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self::from_bytes(path, text.into().into_bytes())
    }

    /// A source from bytes that may be anything. What is wrong with them is reported by `check`.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        let path = path.into();
        if bytes.len() > MAX_BYTES {
            let damage = Diagnostic::error(codes::FILE, "the manifest is larger than 1 MiB")
                .help("a manifest holds configuration only; move data into files and grant them with `files`");
            return Self { path, text: String::new(), damage: Some(Box::new(damage)) };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self { path, text, damage: None },
            Err(error)
                if error.as_bytes().starts_with(&[0xff, 0xfe]) || error.as_bytes().starts_with(&[0xfe, 0xff]) =>
            {
                let damage = Diagnostic::error(codes::FILE, "the manifest is UTF-16, but a manifest is UTF-8")
                    .help("save the file as UTF-8; most editors offer that under \"save with encoding\"");
                Self { path, text: String::new(), damage: Some(Box::new(damage)) }
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let damage = Diagnostic::error(codes::FILE, "the manifest is not valid UTF-8")
                    .at(Span::new(at, at + '\u{FFFD}'.len_utf8()))
                    .label("this byte is no UTF-8 text")
                    .help("save the file as UTF-8");
                Self { path, text, damage: Some(Box::new(damage)) }
            }
        }
    }

    /// Reads a manifest from disk. Never reads more than one byte above [`MAX_BYTES`].
    ///
    /// # Errors
    /// Only when the file can't be read; what is wrong with its content is reported by `check`.
    pub fn load(path: &Path) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Self::from_bytes(path, bytes))
    }

    /// Why the bytes aren't a manifest at all, if so.
    pub(crate) fn damage(&self) -> Option<&Diagnostic> {
        self.damage.as_deref()
    }

    /// Line and column of a byte offset. Offsets past the end give the end.
    pub fn position(&self, offset: usize) -> Position {
        self.lines().position(offset)
    }

    /// The lines, for many positions.
    pub(crate) fn lines(&self) -> Lines<'_> {
        let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { text: &self.text, starts: std::iter::once(0).chain(ends).collect() }
    }
}

/// Where each line begins.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl Lines<'_> {
    /// Line and column of a byte offset. Offsets past the end give the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Position { line, column: self.text.get(start..offset).unwrap_or_default().chars().count() + 1 }
    }

    /// The range of whole lines around `range`, and the number of the first.
    pub fn around(&self, range: std::ops::Range<usize>) -> (std::ops::Range<usize>, usize) {
        let first = self.starts.partition_point(|start| *start <= range.start);
        let after = self.starts.partition_point(|start| *start <= range.end);
        let start = self.starts.get(first.saturating_sub(1)).copied().unwrap_or_default();
        (start..self.starts.get(after).copied().unwrap_or(self.text.len()), first)
    }
}

/// A place as editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in Unicode scalar values.
    pub column: usize,
}
