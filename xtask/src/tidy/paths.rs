//! Nothing committed may depend on the machine it was written on: no absolute path of somebody's home or workplace, and lock
//! files that point to the public registries only.

use super::Complaint;
use super::tree::{File, Tree};

/// Directories that exist on one machine. In parts, so that this file doesn't accuse itself.
const PRIVATE: [&[&str]; 3] = [&["/", "root/"], &["/", "home/"], &["/", "Users/"]];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    tree.files.iter().flat_map(|file| [private(file), lock(file)].concat()).collect()
}

fn private(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for path in PRIVATE.map(|parts| parts.concat()) {
            if line.match_indices(&path).any(|(at, _)| starts_a_path(line, at)) {
                let text = format!(
                    "names {path}, a directory of one machine. Use a relative path, a variable or a made-up place."
                );
                complaints.push(Complaint::new(format!("{}:{}", file.path, index + 1), text));
            }
        }
    }
    complaints
}

/// `https://host/work/` and `a/work/` are no absolute paths.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    before.is_none_or(|c| !c.is_alphanumeric() && !"._-}~*)".contains(c))
}

fn lock(file: &File) -> Vec<Complaint> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let (field, public) = match name {
        "Cargo.lock" => ("source = \"", "registry+https://github.com/rust-lang/crates.io-index\""),
        "package-lock.json" => ("\"resolved\": \"", "https://registry.npmjs.org/"),
        _ => return Vec::new(),
    };
    let other = |line: &str| line.trim_start().strip_prefix(field).is_some_and(|source| !source.starts_with(public));
    let found = file.text.lines().enumerate().filter(|(_, line)| other(line));
    let text = "comes from another place than the public registry. Lock it again with the registry's default settings.";
    found.take(1).map(|(index, _)| Complaint::new(format!("{}:{}", file.path, index + 1), text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|complaint| complaint.place).collect()
    }

    #[test]
    fn absolute_paths_of_a_machine_are_found() {
        let private = ["/", "home/ana"].concat();
        assert_eq!(places("docs/a.md", &format!("fine\nsee {private}")), ["docs/a.md:2"]);
        assert_eq!(places("a.sh", &format!("X={private}")), ["a.sh:1"]);
        for fine in ["https://example.com/work/main", "target/work/main", "${DIR}/root/x"] {
            assert!(places("a.md", fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn lock_files_point_to_public_registries() {
        let cargo = |source: &str| format!("[[package]]\nname = \"a\"\nsource = \"{source}\"\n");
        assert!(places("Cargo.lock", &cargo("registry+https://github.com/rust-lang/crates.io-index")).is_empty());
        assert_eq!(
            places("guests/Cargo.lock", &cargo("sparse+https://mirror.example/index/")),
            ["guests/Cargo.lock:3"]
        );
        assert!(places("a/package-lock.json", "  \"resolved\": \"https://registry.npmjs.org/a.tgz\"").is_empty());
        assert_eq!(
            places("a/package-lock.json", "  \"resolved\": \"https://mirror.example/a.tgz\""),
            ["a/package-lock.json:1"]
        );
    }
}
