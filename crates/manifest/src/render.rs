//! Diagnostics as people and tools see them: a report with file, line, column, the source line and the fix, or JSON.
//! It decides nothing. The command line and the dashboard call it; both give the `Source` the spans point into.

use crate::source::Lines;
use crate::{Diagnostic, Diagnostics, Severity, Source, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// How many problems are printed; more would bury the first.
const MAX_SHOWN: usize = 100;

impl Diagnostics {
    /// The report, ending in a line that counts. Without `colour` it holds no escape sequence. Empty when there is nothing to say.
    pub fn render(&self, source: &Source, colour: bool) -> String {
        let lines = source.lines();
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let path = escaped(&source.path.display().to_string());
        let mut text = String::new();
        for item in self.sorted().into_iter().take(MAX_SHOWN) {
            text.push_str(&renderer.render(&report(&harmless(item), source, &lines, &path)));
            text.push_str("\n\n");
        }
        if let Some(summary) = self.summary() {
            text.push_str(&format!("{path}: {summary}\n"));
        }
        text
    }

    /// "2 errors, 1 warning", or `None` when there are none.
    pub fn summary(&self) -> Option<String> {
        let errors = self.iter().filter(|item| item.severity == Severity::Error).count();
        let warnings = self.len() - errors;
        let count = |number: usize, word: &str| match number {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{number} {word}s")),
        };
        let parts: Vec<_> = [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
        let hidden = self.len().saturating_sub(MAX_SHOWN);
        let more = if hidden > 0 { format!(" (the first {MAX_SHOWN} are shown)") } else { String::new() };
        (!parts.is_empty()).then(|| parts.join(", ") + &more)
    }

    /// For `--json`: an array of `{severity, code, message, file, span: {start, end, line, column} | null, label, also, help}`.
    /// `start` and `end` are byte offsets; `line` and `column` count from 1.
    pub fn to_json(&self, source: &Source) -> serde_json::Value {
        let lines = source.lines();
        let place = |span: Span| {
            let position = lines.position(span.start);
            serde_json::json!({
                "start": span.start, "end": span.end, "line": position.line, "column": position.column,
            })
        };
        let items = self.sorted().into_iter().map(|item| {
            let also =
                item.also.iter().map(|(span, label)| serde_json::json!({ "span": place(*span), "label": label }));
            serde_json::json!({
                "severity": severity_name(item.severity),
                "code": item.code,
                "message": item.message,
                "file": source.path.display().to_string(),
                "span": item.span.map(place),
                "label": item.label,
                "also": also.collect::<Vec<_>>(),
                "help": item.help,
            })
        });
        serde_json::Value::Array(items.collect())
    }
}

/// Texts quote the file, and so may hold what steers a terminal; source lines are made harmless by the renderer.
fn harmless(item: &Diagnostic) -> Diagnostic {
    Diagnostic {
        message: escaped(&item.message),
        label: escaped(&item.label),
        also: item.also.iter().map(|(span, label)| (*span, escaped(label))).collect(),
        help: item.help.as_deref().map(escaped),
        ..item.clone()
    }
}

/// Spells out control characters other than line breaks, and those that turn the direction of writing.
fn escaped(text: &str) -> String {
    let steers =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if steers(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn report<'a>(item: &'a Diagnostic, source: &'a Source, lines: &Lines<'_>, path: &'a str) -> Vec<Group<'a>> {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(item.message.as_str());
    let mut group = match item.span {
        Some(span) => title.element(snippet(item, span, source, lines).path(path)),
        None => title.element(Origin::path(path)),
    };
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    vec![group]
}

/// The lines from the first to the last place that matters. The renderer would scan the whole text for each problem.
fn snippet<'a>(item: &'a Diagnostic, span: Span, source: &'a Source, lines: &Lines<'_>) -> Snippet<'a, Annotation<'a>> {
    let primary = shown(source, span);
    let also: Vec<_> = item.also.iter().map(|(span, label)| (shown(source, *span), label.as_str())).collect();
    let first = also.iter().map(|(range, _)| range.start).chain([primary.start]).min().unwrap_or_default();
    let last = also.iter().map(|(range, _)| range.end).chain([primary.end]).max().unwrap_or_default();
    let (part, number) = lines.around(first..last);
    let within = |range: &Range<usize>| range.start - part.start..range.end - part.start;
    let annotation = AnnotationKind::Primary.span(within(&primary));
    let label = Some(item.label.as_str()).filter(|label| !label.is_empty());
    let others = also.iter().map(|(range, label)| AnnotationKind::Context.span(within(range)).label(*label));
    Snippet::source(source.text.get(part.clone()).unwrap_or_default())
        .line_start(number)
        .annotation(annotation.label(label))
        .annotations(others)
}

/// The range on character boundaries within the text, cut at the end of its first line: a whole table would hide its cause.
fn shown(source: &Source, span: Span) -> Range<usize> {
    let start = source.text.floor_char_boundary(span.start);
    let end = source.text.floor_char_boundary(span.end.max(start));
    let line = source.text.get(start..end).and_then(|part| part.find(['\n', '\r'])).map_or(end, |at| start + at);
    start..line
}
