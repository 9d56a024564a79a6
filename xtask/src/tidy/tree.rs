//! The checkout as rules see it: names and texts of the files git tracks or would track.
//!
//! Binary files are left out, and so is what .gitignore names. Rules never read the disk themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub struct Tree {
    pub files: Vec<File>,
}

pub struct File {
    /// Relative to the checkout, with `/`.
    pub path: String,
    pub text: String,
}

impl Tree {
    pub fn of_checkout(root: &Path) -> Result<Self> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git, which lists the files to look at")?;
        ensure!(listing.status.success(), "`git ls-files` failed: {}", String::from_utf8_lossy(&listing.stderr));
        let names = String::from_utf8(listing.stdout).context("a file's name is not UTF-8")?;
        let mut files = Vec::new();
        for path in names.split('\0').filter(|name| !name.is_empty()) {
            // A file deleted but still in the index, and a binary one, have no text.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                files.push(File { path: path.to_owned(), text });
            }
        }
        Ok(Self { files })
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files whose path begins so.
    pub fn rust<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(prefix) && file.path.ends_with(".rs"))
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect() }
    }
}

impl File {
    /// The package's folder and the path below its `src`, for files of the workspace's crates: `crates/edge`, `serve.rs`.
    pub fn in_crate(&self) -> Option<(&str, &str)> {
        let (package, below) = self.path.split_once("/src/")?;
        (["xtask", "bench"].contains(&package)
            || package.strip_prefix("crates/").is_some_and(|name| !name.contains('/')))
        .then_some((package, below))
    }

    /// Whether the whole file is test code, by its name.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/benches/")
    }
}
