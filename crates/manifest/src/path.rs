//! Path patterns of routes: exact (`/about`), with parameters (`/users/:id`) and with a trailing wildcard
//! (`/thumbs/*`, which also matches `/thumbs` and `/thumbs/`). Parsed here; `conflict.rs` and the edge match
//! them with `matchit`, for which a pattern is spelled as one or more of its routes.

use std::fmt;

/// A parsed path pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// Between the slashes, the wildcard excluded. A trailing slash is an empty last segment.
    segments: Vec<Segment>,
    wildcard: bool,
}

/// One piece between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Matches itself.
    Literal(String),
    /// Matches one segment that isn't empty; the name is without the colon.
    Parameter(String),
}

/// Why a text is no pattern: a sentence, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadPattern {
    pub message: String,
    pub help: String,
}

impl BadPattern {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl PathPattern {
    /// Parses `/about`, `/users/:id` or `/thumbs/*`.
    pub(crate) fn parse(text: &str) -> Result<Self, BadPattern> {
        let Some(rest) = text.strip_prefix('/') else {
            let fixed = format!("write \"/{}\"", text.trim_start_matches("./"));
            return Err(BadPattern::new(format!("the path `{text}` does not begin with `/`"), fixed));
        };
        let (rest, wildcard) = match rest.strip_suffix('*') {
            Some("") => ("", true),
            Some(before) if before.ends_with('/') => (before.strip_suffix('/').unwrap_or(before), true),
            Some(before) => {
                let help = format!("write \"/{before}/*\" for everything below it");
                return Err(BadPattern::new(format!("`*` in the path `{text}` is not a segment of its own"), help));
            }
            None => (rest, false),
        };
        let mut segments = Vec::new();
        if !(wildcard && text == "/*") {
            for piece in rest.split('/') {
                let segment = Self::segment(text, piece)?;
                if segments.contains(&segment) && matches!(segment, Segment::Parameter(_)) {
                    let message = format!("the path `{text}` has the parameter `{piece}` twice");
                    return Err(BadPattern::new(message, "give each parameter a name of its own"));
                }
                segments.push(segment);
            }
        }
        Ok(Self { segments, wildcard })
    }

    fn segment(text: &str, piece: &str) -> Result<Segment, BadPattern> {
        if let Some(name) = piece.strip_prefix(':') {
            let good = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            if name.is_empty() || !good {
                let message = format!("`{piece}` in the path `{text}` is no parameter");
                return Err(BadPattern::new(message, "name it with letters, digits and `_`, such as `:id`"));
            }
            return Ok(Segment::Parameter(name.to_owned()));
        }
        if piece.contains('*') {
            let message = format!("`*` in the path `{text}` stands before its end");
            return Err(BadPattern::new(message, "use `:name` for one segment, and `*` only as the last one"));
        }
        if let Some(letter) = piece.chars().find(|letter| "?#{}\\".contains(*letter) || letter.is_whitespace() || letter.is_control()) {
            let message = format!("the path `{text}` contains {letter:?}");
            let help = match letter {
                '?' | '#' => "a route matches the path alone; leave the query out",
                '{' | '}' => "write a parameter as `:name` and a wildcard as `*`",
                _ => "percent-encode it, as clients do",
            };
            return Err(BadPattern::new(message, help));
        }
        if piece == "." || piece == ".." {
            let message = format!("the path `{text}` contains the segment `{piece}`");
            return Err(BadPattern::new(message, "write the path as it is after resolving"));
        }
        Ok(Segment::Literal(piece.to_owned()))
    }

    /// The pieces between the slashes, without the wildcard.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// True when the pattern ends in `*`.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The pattern in the syntax of `matchit` 0.9. A wildcard is the catch-all `{*rest}`, which doesn't match an
    /// empty rest: see [`matchit_roots`](Self::matchit_roots).
    pub fn matchit(&self) -> String {
        let base = self.matchit_base();
        if self.wildcard { format!("{base}/{{*rest}}") } else { base }
    }

    /// The further `matchit` routes of a wildcard: its root with and without a slash (`/thumbs/`, `/thumbs`; only `/` for
    /// `/*`). Insert them after every [`matchit`](Self::matchit), and skip those that are taken: a route that names
    /// such a path is more specific.
    pub fn matchit_roots(&self) -> Vec<String> {
        if !self.wildcard {
            return Vec::new();
        }
        let base = self.matchit_base();
        if base.is_empty() { vec!["/".to_owned()] } else { vec![format!("{base}/"), base] }
    }

    fn matchit_base(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            text.push('/');
            match segment {
                Segment::Literal(piece) => text.push_str(piece),
                Segment::Parameter(name) => {
                    text.push('{');
                    text.push_str(name);
                    text.push('}');
                }
            }
        }
        text
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(piece) => write!(out, "/{piece}")?,
                Segment::Parameter(name) => write!(out, "/:{name}")?,
            }
        }
        if self.wildcard { out.write_str("/*") } else { Ok(()) }
    }
}
