//! Path patterns of routes: exact (`/about`), with parameters (`/users/:id`) and with a trailing wildcard
//! (`/thumbs/*`, which also matches `/thumbs` and `/thumbs/`). Parsed here, matched by `routing.rs`.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::str::FromStr;

/// A parsed path pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// Between the slashes, the wildcard excluded. A trailing slash is an empty last segment.
    segments: Vec<Segment>,
    wildcard: bool,
    typed: String,
}

/// One piece between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Matches itself; percent-encoding is already taken off.
    Literal(String),
    /// Matches one segment that isn't empty; the name is without the colon.
    Parameter(String),
}

/// Why a text is no pattern: a sentence, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    pub message: String,
    pub help: String,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; {}", self.message, self.help)
    }
}

impl std::error::Error for BadPattern {}

impl BadPattern {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl FromStr for PathPattern {
    type Err = BadPattern;

    /// Parses `/about`, `/users/:id` or `/thumbs/*`.
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let Some(rest) = text.strip_prefix('/') else {
            let fixed = format!("write \"/{}\"", text.trim_start_matches("./"));
            return Err(BadPattern::new(format!("the path `{text}` does not begin with `/`"), fixed));
        };
        let pieces: Vec<&str> = rest.split('/').collect();
        let (pieces, wildcard) = match pieces.split_last() {
            Some((&"*", before)) => (before, true),
            _ => (pieces.as_slice(), false),
        };
        let mut segments = Vec::new();
        for piece in pieces {
            let segment = Segment::parse(text, piece)?;
            if segments.contains(&segment) && matches!(segment, Segment::Parameter(_)) {
                let message = format!("the path `{text}` has the parameter `{piece}` twice");
                return Err(BadPattern::new(message, "give each parameter a name of its own"));
            }
            segments.push(segment);
        }
        Ok(Self { segments, wildcard, typed: text.to_owned() })
    }
}

impl Segment {
    fn parse(text: &str, piece: &str) -> Result<Self, BadPattern> {
        if let Some(name) = piece.strip_prefix(':') {
            let good = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            if name.is_empty() || !good {
                let message = format!("`{piece}` in the path `{text}` is no parameter");
                return Err(BadPattern::new(message, "name it with letters, digits and `_`, such as `:id`"));
            }
            return Ok(Self::Parameter(name.to_owned()));
        }
        if let Some(letter) =
            piece.chars().find(|letter| "*?#{}\\".contains(*letter) || letter.is_whitespace() || letter.is_control())
        {
            let help = match letter {
                '*' => "`*` can only be the last segment, as in `/files/*`; use `:name` for one segment in the middle",
                '?' | '#' => "a route matches the path alone; leave the query out",
                '{' | '}' => "write a parameter as `:name` and a wildcard as `*`",
                _ => "percent-encode it, as in `%20` for a space",
            };
            return Err(BadPattern::new(format!("the path `{text}` can't contain {letter:?} here"), help));
        }
        let Ok(literal) = percent_decode_str(piece).decode_utf8() else {
            let message = format!("`{piece}` in the path `{text}` is not UTF-8 after percent-decoding");
            return Err(BadPattern::new(message, "use `:name` to match such a segment"));
        };
        if literal == "." || literal == ".." {
            let message = format!("the path `{text}` contains the segment `{piece}`, which no request has");
            return Err(BadPattern::new(message, "write the path as it is after resolving"));
        }
        Ok(Self::Literal(literal.into_owned()))
    }
}

impl PathPattern {
    /// The pieces between the slashes, without the wildcard.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// True when the pattern ends in `*`.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }
}

/// As typed.
impl fmt::Display for PathPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.typed)
    }
}
