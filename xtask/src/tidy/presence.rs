//! Pages that must be there, and the numbering of docs/design: `NNN-title.md`, from 001, without gaps, a title each.

use super::Complaint;
use super::tree::Tree;

const PAGES: [(&str, &str); 5] = [
    ("README.md", "what it is and the commands to run"),
    ("ARCHITECTURE.md", "the crate table and the invariants"),
    ("CHANGELOG.md", "what changed for users, in the present tense"),
    ("SECURITY.md", "what is promised and how to report a hole"),
    ("LICENSE", "the Apache-2.0 licence"),
];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let missing = PAGES.iter().filter(|(page, _)| tree.get(page).is_none());
    let mut complaints: Vec<Complaint> =
        missing.map(|(page, about)| Complaint::new(*page, format!("is missing. Write it: {about}."))).collect();
    complaints.extend(decisions(tree));
    complaints
}

fn decisions(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut numbers = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with("docs/design/") && file.path.ends_with(".md")) {
        let name = file.path.trim_start_matches("docs/design/").trim_end_matches(".md");
        match number(name) {
            Some(number) => numbers.push((number, file.path.as_str())),
            None => complaints.push(Complaint::new(
                &file.path,
                "is not named NNN-title.md, with lower-case words and the next free number.",
            )),
        }
        if !file.text.starts_with("# ") {
            complaints.push(Complaint::new(&file.path, "has no title. Begin it with `# ` and what was decided."));
        }
    }
    numbers.sort_unstable();
    for ((number, path), expected) in numbers.iter().zip(1..) {
        if *number != expected {
            complaints.push(Complaint::new(
                *path,
                format!(
                    "has number {number:03} where {expected:03} is next. Number design pages without gaps or doubles."
                ),
            ));
            break;
        }
    }
    complaints
}

fn number(name: &str) -> Option<u32> {
    let (number, title) = name.split_once('-')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (number.len() == 3 && !title.is_empty() && title.chars().all(plain)).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> String {
        decisions(&Tree::of(files))
            .into_iter()
            .map(|complaint| complaint.place + " " + &complaint.text + "\n")
            .collect()
    }

    #[test]
    fn pages_are_numbered_and_titled() {
        assert_eq!(found(&[("docs/design/001-one.md", "# One"), ("docs/design/002-two.md", "# Two")]), "");
        assert!(
            found(&[("docs/design/001-one.md", "# One"), ("docs/design/003-two.md", "# Two")])
                .contains("003 where 002 is next")
        );
        assert!(
            found(&[("docs/design/001-one.md", "# One"), ("docs/design/001-two.md", "# Two")])
                .contains("001 where 002 is next")
        );
        assert!(found(&[("docs/design/Notes.md", "# One")]).contains("not named NNN-title.md"));
        assert!(found(&[("docs/design/001-one.md", "One")]).contains("no title"));
    }

    #[test]
    fn missing_pages_are_asked_for() {
        let tree = Tree::of(&[("README.md", "#"), ("ARCHITECTURE.md", "#"), ("SECURITY.md", "#"), ("LICENSE", "#")]);
        assert!(matches!(check(&tree).as_slice(), [one] if one.place == "CHANGELOG.md"));
    }
}
