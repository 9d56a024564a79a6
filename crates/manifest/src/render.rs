//! Diagnostics as people and tools see them: a report with file, line, column, the source line and the fix, or JSON.
//! It decides nothing. The command line and the dashboard call it; both give the `Source` the spans point into.

use crate::{Diagnostic, Diagnostics, Severity, Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// How many problems are printed; more would bury the first.
const MAX_SHOWN: usize = 100;

impl Diagnostics {
    /// The report, ending in a line that counts. Without `colour` it holds no escape sequence. Empty when there is nothing to say.
    pub fn render(&self, source: &Source, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let path = source.path.display().to_string();
        let mut text = String::new();
        for item in self.sorted().into_iter().take(MAX_SHOWN) {
            text.push_str(&renderer.render(&report(item, source, &path)));
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
        let place = |span: Span| {
            let position = source.position(span.start);
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

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn report<'a>(item: &'a Diagnostic, source: &'a Source, path: &'a str) -> Vec<Group<'a>> {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(item.message.as_str());
    let mut group = match item.span {
        Some(span) => {
            let mut snippet = Snippet::source(source.text.as_str()).path(path);
            let primary = AnnotationKind::Primary.span(shown(source, span));
            snippet =
                snippet.annotation(if item.label.is_empty() { primary } else { primary.label(item.label.as_str()) });
            for (span, label) in &item.also {
                snippet = snippet.annotation(AnnotationKind::Context.span(shown(source, *span)).label(label.as_str()));
            }
            title.element(snippet)
        }
        None => title.element(Origin::path(path)),
    };
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    vec![group]
}

/// The range on character boundaries within the text, cut at the end of its first line: a whole table would hide its cause.
fn shown(source: &Source, span: Span) -> Range<usize> {
    let text = &source.text;
    let inside = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = inside(span.start);
    let end = inside(span.end.max(start));
    let line = text.get(start..end).and_then(|part| part.find(['\n', '\r'])).map_or(end, |at| start + at);
    start..line
}
