//! Whether a source nests so deeply that oxc's recursive parser would exhaust its stack.
//!
//! An estimate from above of the depth of the syntax tree, from single bytes: brackets and operators that are open at the
//! same time. What stands in strings, comments and expressions counts as code, for the bytes alone can't tell.
//! A source of up to [`SMALL`] bytes can't nest deep enough to matter, whatever it holds.

/// A tree of one level a byte fits into the stack.
const SMALL: usize = 128 << 10;
/// Levels that fit into the stack with room to spare.
const MOST: u64 = 120_000;

/// The offset at which it becomes too deep.
pub(super) fn too_deep(source: &str) -> Option<u32> {
    if source.len() <= SMALL {
        return None;
    }
    let mut scan = Scan::default();
    let mut before = b' ';
    for (at, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' | b'`' => scan.open(byte),
            b')' | b']' => scan.close(),
            b'}' => {
                scan.close();
                let rest = source.get(at + 1..).unwrap_or_default();
                if !rest.trim_start().starts_with("else") {
                    scan.segment = 0;
                }
            }
            b';' | b',' => scan.segment = 0,
            b'.' if !before.is_ascii_digit() => scan.segment += 1,
            b'!' | b'~' | b'+' | b'-' | b'*' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'=' | b'?' | b':' | b'/' => {
                scan.segment += 1;
            }
            b' ' | b'\n' if before.is_ascii_alphabetic() => scan.segment += 1,
            _ => {}
        }
        before = byte;
        if scan.below + scan.segment > MOST {
            return u32::try_from(at).ok();
        }
    }
    None
}

#[derive(Default)]
struct Scan {
    /// Levels of the enclosing brackets together.
    below: u64,
    /// Levels since the innermost open bracket, or the last end of a statement in it.
    segment: u64,
    open: Vec<(u64, u8)>,
}

impl Scan {
    fn open(&mut self, byte: u8) {
        // A template may end with the sign it began with.
        if byte == b'`' && self.open.last().is_some_and(|(_, open)| *open == b'`') {
            return self.close();
        }
        self.open.push((self.segment, byte));
        self.below += self.segment + 1;
        self.segment = 0;
    }

    /// A call or an index is one more link of its chain.
    fn close(&mut self) {
        if let Some((segment, _)) = self.open.pop() {
            self.below = self.below.saturating_sub(segment + 1);
            self.segment = segment + 1;
        }
    }
}
