//! What is wrong with a manifest, collected and never thrown: a reader notes a problem and goes on, so
//! that one run shows them all. `render.rs` prints them. Plugins add their own through `Diagnostics`.

use crate::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The app can't be used.
    Error,
    /// The app can be used, but probably isn't what was meant.
    Warning,
}

/// One problem, in words for the person who wrote the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// A stable word for tools, from [`crate::codes`] or a plugin's own.
    pub code: &'static str,
    /// What is wrong, as a sentence without a final stop.
    pub message: String,
    /// Where; `None` for the file as a whole.
    pub span: Option<Span>,
    /// What to see at `span`, a few words; may be empty.
    pub label: String,
    /// Other places that matter, such as the first of two conflicting routes.
    pub also: Vec<(Span, String)>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error about the file as a whole, until [`at`](Self::at) gives it a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            also: Vec::new(),
            help: None,
        }
    }

    /// The same as [`error`](Self::error), as a warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Gives the place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Gives the few words shown at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All problems found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    /// True when an error was dropped because there are too many.
    dropped_error: bool,
}

/// How many problems are kept. A text with more is no manifest with errors but something else.
const MAX_KEPT: usize = 1000;

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a problem. One that is already noted is dropped, and so is any after the first thousand.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.items.len() >= MAX_KEPT {
            self.dropped_error |= diagnostic.severity == Severity::Error;
        } else if !self.items.contains(&diagnostic) {
            self.items.push(diagnostic);
        }
    }

    /// Takes over all problems of another collection.
    pub fn append(&mut self, other: Self) {
        self.dropped_error |= other.dropped_error;
        for diagnostic in other.items {
            self.push(diagnostic);
        }
    }

    /// True when at least one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.dropped_error || self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// True when there is neither error nor warning.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// In the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// In the order of the file; those without a place come first.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut items: Vec<_> = self.items.iter().collect();
        items.sort_by_key(|item| item.span);
        items
    }

    /// Notes that `found` is no known `what` (such as "grant" or "store"), and suggests the nearest of `known`.
    pub fn unknown_name(&mut self, span: Span, what: &str, found: &str, known: &[&str]) {
        let diagnostic = Diagnostic::error(crate::codes::UNKNOWN_NAME, format!("there is no {what} named `{found}`"));
        self.push(diagnostic.at(span).label(format!("unknown {what}")).help(nearest_help(what, found, known)));
    }
}

/// "did you mean `x`?" when one of `known` is near, else the list of them.
pub(crate) fn nearest_help(what: &str, found: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(found, known) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return format!("no {what} is declared in this manifest");
    }
    match known {
        [only] => format!("the only {what} here is `{only}`"),
        _ => format!("choose one of {}", listed(known)),
    }
}

/// "`a`, `b`", in order; a long list is cut.
pub(crate) fn listed(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    let quoted: Vec<_> = names.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect();
    quoted.join(", ") + more
}

/// How many names a message lists.
const MAX_LISTED: usize = 20;

/// Among how many names the nearest one is looked for; comparing costs time.
const MAX_COMPARED: usize = 200;

/// The one of `known` that a typing slip most likely turned into `found`, or that it begins with.
pub(crate) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower: String = found.to_lowercase().replace('-', "_").chars().take(100).collect();
    let known = known.iter().take(MAX_COMPARED);
    let scored = known.clone().map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name));
    let (distance, name) = scored.min()?;
    let allowed = (name.chars().count().max(3) / 3).min(4);
    if distance <= allowed {
        return Some(name);
    }
    // "nodejs" for "node", "env" for "environment".
    let begins = |name: &&&str| {
        let (short, long) = if name.len() < lower.len() { (**name, lower.as_str()) } else { (lower.as_str(), **name) };
        short.len() >= 3 && long.starts_with(short)
    };
    known.clone().find(begins).copied()
}
