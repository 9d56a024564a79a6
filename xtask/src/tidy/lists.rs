//! I5: plugins are listed in one place, commands in one place.
//!
//! A file that names two plugins, or two commands, is a list. There is one of each: `crates/plugins/src/lib.rs`, and one file
//! of the cli. A plugin doesn't know its neighbours.

use std::collections::BTreeSet;

use super::Complaint;
use super::tokens;
use super::tree::{File, Tree};

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = plugins(tree);
    complaints.extend(commands(tree));
    complaints
}

fn plugins(tree: &Tree) -> Vec<Complaint> {
    let modules = modules(tree, "crates/plugins/src/");
    let mut complaints = Vec::new();
    for file in tree.rust("crates/").filter(|file| !file.is_test() && file.path != "crates/plugins/src/lib.rs") {
        let inside = file.path.strip_prefix("crates/plugins/src/");
        let (root, own) = match inside {
            Some(below) => ("crate", below.split(['/', '.']).next().unwrap_or_default()),
            None => ("coracle_plugins", ""),
        };
        let named: BTreeSet<String> =
            after(file, root).into_iter().filter(|name| modules.contains(name) && name != own).collect();
        let most = if inside.is_some() { 0 } else { 1 };
        if named.len() > most {
            let named = named.into_iter().collect::<Vec<_>>().join(", ");
            let text = format!(
                "names the plugins {named}. Plugins are listed in crates/plugins/src/lib.rs alone and don't know each other (I5): go through that list, \
                 or move what they share into a module without an interface."
            );
            complaints.push(Complaint::new(&file.path, text));
        }
    }
    complaints
}

fn commands(tree: &Tree) -> Vec<Complaint> {
    let modules = modules(tree, "crates/cli/src/commands/");
    let lists: Vec<&File> = tree
        .rust("crates/cli/src/")
        .filter(|file| !file.is_test())
        .filter(|file| {
            after(file, "commands").into_iter().filter(|name| modules.contains(name)).collect::<BTreeSet<_>>().len() > 1
        })
        .collect();
    let paths: Vec<&str> = lists.iter().map(|file| file.path.as_str()).collect();
    if paths.len() < 2 {
        return Vec::new();
    }
    let text = format!(
        "Commands are listed in {}; keep one list (I5), and have the others go through it.",
        paths.join(" and ")
    );
    vec![Complaint::new("crates/cli/src", text)]
}

/// The names of the files and folders directly below `dir`.
fn modules(tree: &Tree, dir: &str) -> BTreeSet<String> {
    let below = tree.rust(dir).filter_map(|file| file.path.strip_prefix(dir));
    let names = below.filter_map(|path| path.split(['/', '.']).next());
    names.filter(|name| !["lib", "mod"].contains(name)).map(str::to_owned).collect()
}

/// The names that follow `root::` in the file, those of a `root::{…}` group included.
fn after(file: &File, root: &str) -> BTreeSet<String> {
    let all = tokens::product(&file.text);
    let mut names = BTreeSet::new();
    for (index, _) in all.iter().enumerate().filter(|(_, token)| token.ident() == Some(root)) {
        names.extend(super::cycles::heads(&all, index + 1).into_iter().map(|(name, _)| name));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(files: &[(&str, &str)]) -> usize {
        let plugins = [("crates/plugins/src/kv/mod.rs", ""), ("crates/plugins/src/sql.rs", "")];
        let commands = [("crates/cli/src/commands/up.rs", ""), ("crates/cli/src/commands/run.rs", "")];
        check(&Tree::of(&[&plugins, &commands, files].concat())).len()
    }

    #[test]
    fn a_second_list_of_plugins_is_found() {
        assert_eq!(count(&[("crates/plugins/src/lib.rs", "fn all() { (kv::Kv, sql::Sql) }")]), 0);
        assert_eq!(count(&[("crates/edge/src/load.rs", "use coracle_plugins::kv::Kv;")]), 0);
        assert_eq!(count(&[("crates/edge/src/load.rs", "use coracle_plugins::{kv::Kv, sql};")]), 1);
    }

    #[test]
    fn a_plugin_knows_no_other() {
        assert_eq!(count(&[("crates/plugins/src/blob.rs", "use crate::kv::Kv;")]), 1);
        assert_eq!(count(&[("crates/plugins/src/kv/wit.rs", "use crate::kv::Kv;")]), 0);
    }

    #[test]
    fn a_second_list_of_commands_is_found() {
        let list = "fn f() { (commands::up::run, commands::run::run) }";
        assert_eq!(count(&[("crates/cli/src/main.rs", list)]), 0);
        assert_eq!(count(&[("crates/cli/src/main.rs", list), ("crates/cli/src/args.rs", list)]), 1);
    }
}
