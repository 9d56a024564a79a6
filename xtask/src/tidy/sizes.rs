//! Sizes and headers: functions up to 80 lines, files up to 600, and a `//!` header at the top of each file.
//!
//! Lines of code are counted: neither blank ones nor those that hold only a comment.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Complaint;
use super::tree::{File, Tree};

const FUNCTION: usize = 80;
const FILE: usize = 600;
/// Shorter ones say nothing.
const HEADER: usize = 20;

pub fn check(tree: &Tree) -> Vec<Complaint> {
    ["crates/", "xtask/", "bench/", "guests/", "examples/"]
        .into_iter()
        .flat_map(|place| tree.rust(place))
        .flat_map(of_file)
        .collect()
}

fn of_file(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let header: String = file.text.lines().filter_map(|line| line.trim_start().strip_prefix("//!")).collect();
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.trim_start().starts_with("//!") || header.trim().len() < HEADER {
        let text =
            "has no header. Begin it with `//!` and 2 to 15 lines: what it does, what it never does, who calls it.";
        complaints.push(Complaint::new(&file.path, text));
    }
    let lines = code(file.text.lines());
    if lines > FILE {
        let text = format!("has {lines} lines of code, more than {FILE}. Split it by what its parts are about.");
        complaints.push(Complaint::new(&file.path, text));
    }
    match syn::parse_file(&file.text) {
        Ok(syntax) => {
            let mut functions = Functions { file, complaints: &mut complaints };
            functions.visit_file(&syntax);
        }
        Err(error) => {
            let line = error.span().start().line;
            complaints.push(Complaint::new(format!("{}:{line}", file.path), format!("doesn't parse: {error}.")));
        }
    }
    complaints
}

fn code<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

struct Functions<'a> {
    file: &'a File,
    complaints: &'a mut Vec<Complaint>,
}

impl Functions<'_> {
    fn look(&mut self, name: &syn::Ident, block: &syn::Block) {
        let (first, last) = (block.span().start().line, block.span().end().line);
        let lines = code(self.file.text.lines().take(last).skip(first.saturating_sub(1)));
        if lines > FUNCTION {
            let text =
                format!("`{name}` has {lines} lines of code, more than {FUNCTION}. Give its steps names of their own.");
            self.complaints.push(Complaint::new(format!("{}:{first}", self.file.path), text));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.look(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.look(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.look(&function.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "//! What this file is about, in a sentence.\n";

    fn texts(text: &str) -> Vec<String> {
        check(&Tree::of(&[("crates/x/src/a.rs", text)])).into_iter().map(|complaint| complaint.text).collect()
    }

    #[test]
    fn a_long_function_is_named_and_comments_are_free() {
        let function = |lines: usize| {
            format!("{HEAD}impl A {{ fn long() {{\n{}{}}} }}\n", "    // why\n".repeat(200), "    x();\n".repeat(lines))
        };
        assert!(texts(&function(78)).is_empty());
        let found = texts(&function(90));
        assert!(matches!(found.as_slice(), [one] if one.contains("`long` has 92 lines")), "{found:?}");
    }

    #[test]
    fn a_long_file_is_told_to_split() {
        let found = texts(&format!("{HEAD}{}", "const A: u8 = 1;\n".repeat(601)));
        assert!(matches!(found.as_slice(), [one] if one.contains("601 lines of code")), "{found:?}");
    }

    #[test]
    fn a_header_is_asked_for() {
        for text in [
            "fn a() {}",
            "//! placeholder\nfn a() {}",
            "fn a() {}\nmod b {\n//! Not at the top of the file, this one.\n}",
        ] {
            assert!(texts(text).iter().any(|complaint| complaint.contains("no header")), "{text}");
        }
        assert!(texts(HEAD).is_empty());
    }

    #[test]
    fn a_file_that_does_not_parse_is_said_to() {
        assert!(texts(&format!("{HEAD}fn (")).iter().any(|text| text.contains("doesn't parse")));
    }
}
