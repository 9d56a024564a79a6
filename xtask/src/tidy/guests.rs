//! A guest that no test claims is dead weight: each needs a test in crates/*/tests that names it, or a part of `accept` or
//! `bench`, which check each answer too.
//!
//! Named is a guest by a string such as `"p3/hello"`, or, for both Rust sets at once, by the first argument of `both(…)`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use proc_macro2::Delimiter;

use super::Complaint;
use super::tokens::{self, Kind, Token};
use super::tree::Tree;
use crate::guests::{self, Set};

/// `set/name` of every guest that has a source.
pub fn names(root: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for set in Set::ALL {
        all.extend(guests::names(root, set)?.into_iter().map(|name| format!("{}/{name}", set.name())));
    }
    Ok(all)
}

pub fn check(tree: &Tree, guests: &[String]) -> Vec<Complaint> {
    let tests = tree.rust("crates/").filter(|file| file.path.contains("/tests/"));
    let tests = tests.chain(tree.rust("xtask/src/accept/")).chain(tree.rust("xtask/src/bench/"));
    let claimed: BTreeSet<String> = tests.flat_map(|file| claims(&tokens::all(&file.text))).collect();
    let unclaimed = guests.iter().filter(|guest| !claimed.contains(*guest));
    let text =
        |guest: &str| format!("has no test. Name it in one, as `\"{guest}\"` or by `both(\"name\", …)`, or remove it.");
    unclaimed.map(|guest| Complaint::new(format!("guests/{guest}"), text(guest))).collect()
}

fn claims(tokens: &[Token]) -> Vec<String> {
    let mut claims = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if let Some(text) = token.string() {
            claims.push(text.trim_end_matches(".wasm").to_owned());
        }
        if token.ident() == Some("both") {
            // both("name" or both!("name"
            let mut rest = tokens.get(index + 1..).unwrap_or_default().iter().skip_while(|token| token.is('!'));
            let opens = rest.next().is_some_and(|token| token.kind == Kind::Open(Delimiter::Parenthesis));
            if let Some(name) = rest.next().filter(|_| opens).and_then(Token::string) {
                claims.extend(["p2", "p3"].map(|set| format!("{set}/{name}")));
            }
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_needs_a_test_that_names_it() {
        let tree = Tree::of(&[
            (
                "crates/a/tests/it/x.rs",
                "fn f() { both(\"trap\", g); guest(\"js/hello\"); both!(\"kv\") } // p3/comment",
            ),
            ("crates/a/src/lib.rs", "const A: &str = \"p3/source\";"),
            ("xtask/src/accept/a.rs", "const A: &str = \"p3/attack\";"),
        ]);
        let guests =
            ["p3/trap", "p2/trap", "p2/kv", "js/hello", "p3/comment", "p3/source", "p3/attack"].map(str::to_owned);
        let places: Vec<String> = check(&tree, &guests).into_iter().map(|complaint| complaint.place).collect();
        assert_eq!(places, ["guests/p3/comment", "guests/p3/source"]);
    }
}
