//! The packages and who depends on whom, as `cargo metadata` says. Development dependencies are kept
//! apart: they are not part of what users get.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

#[derive(Debug, Default)]
pub struct Graph {
    /// Packages of this workspace, by name.
    pub members: BTreeSet<String>,
    pub packages: BTreeMap<String, Package>,
}

/// All versions of one name taken together.
#[derive(Debug, Default)]
pub struct Package {
    /// Names of what it is built with.
    pub needs: BTreeSet<String>,
    /// Names of what only its tests are built with.
    pub tests_need: BTreeSet<String>,
    /// As its Cargo.toml says; none for our own.
    pub license: Option<String>,
    /// Where it comes from; none for our own.
    pub source: Option<String>,
}

impl Graph {
    pub fn read(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .current_dir(root)
            .other_options([
                "--locked".to_owned(),
                "--filter-platform".to_owned(),
                "x86_64-unknown-linux-gnu".to_owned(),
            ])
            .exec()
            .context("`cargo metadata --locked` failed; if Cargo.lock is old, run `cargo check` and commit it")?;
        let names: BTreeMap<_, _> =
            metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
        let mut graph = Self::default();
        for package in &metadata.packages {
            let entry = graph.packages.entry(package.name.to_string()).or_default();
            entry.license = package.license.clone();
            entry.source = package.source.as_ref().map(ToString::to_string);
            if metadata.workspace_members.contains(&package.id) {
                graph.members.insert(package.name.to_string());
            }
        }
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let Some(entry) = names.get(&node.id).and_then(|name| graph.packages.get_mut(name)) else { continue };
            for dep in &node.deps {
                let for_tests = dep.dep_kinds.iter().all(|kind| kind.kind == DependencyKind::Development);
                let kind = if for_tests { &mut entry.tests_need } else { &mut entry.needs };
                kind.extend(names.get(&dep.pkg).cloned());
            }
        }
        Ok(graph)
    }

    pub fn needs(&self, name: &str) -> impl Iterator<Item = &str> {
        self.packages.get(name).into_iter().flat_map(|package| &package.needs).map(String::as_str)
    }

    pub fn tests_need(&self, name: &str) -> impl Iterator<Item = &str> {
        self.packages.get(name).into_iter().flat_map(|package| &package.tests_need).map(String::as_str)
    }

    /// The shortest chain of dependencies from `from` to a package that `wanted` accepts, both ends included.
    pub fn chain(&self, from: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if at != from && wanted(at) {
                let mut chain = vec![at.to_owned()];
                let mut step = at;
                while let Some(before) = came_from.get(step).filter(|_| step != from) {
                    chain.push((*before).to_owned());
                    step = before;
                }
                chain.reverse();
                return Some(chain);
            }
            for next in self.needs(at) {
                if next != from && !came_from.contains_key(next) {
                    came_from.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// A graph of own packages from `name: needs needs` lines.
    #[cfg(test)]
    pub fn of(members: &[&str], lines: &[(&str, &[&str])]) -> Self {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let package = |needs: &[&str]| Package { needs: set(needs), ..Package::default() };
        let packages = lines.iter().map(|(name, needs)| ((*name).to_owned(), package(needs))).collect();
        Self { members: set(members), packages }
    }
}
