//! The interfaces that JavaScript and Python guests are built against when they bring none of their own.
//!
//! Copied from the wasip2 2.0.1 and wasip3 0.10.0 crates (Apache-2.0 WITH LLVM-exception). For JavaScript they are renamed to
//! 0.2.10, the one version StarlingMonkey speaks, and cut to io, clocks and http; worlds are left out, because those of the
//! other packages would not merge.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, io};

/// A world and the packages it needs: file name and text.
pub(crate) struct Wit {
    world: &'static str,
    deps: &'static [(&'static str, &'static str)],
}

/// `wasi:http/incoming-handler@0.2.10`.
pub(crate) const JAVASCRIPT: Wit = Wit {
    world: include_str!("../wit/js/world.wit"),
    deps: &[
        ("clocks.wit", include_str!("../wit/js/deps/clocks.wit")),
        ("http.wit", include_str!("../wit/js/deps/http.wit")),
        ("io.wit", include_str!("../wit/js/deps/io.wit")),
    ],
};

/// `wasi:http/service@0.3.2`.
pub(crate) const PYTHON: Wit = Wit {
    world: include_str!("../wit/py/world.wit"),
    deps: &[
        ("cli.wit", include_str!("../wit/py/deps/cli.wit")),
        ("clocks.wit", include_str!("../wit/py/deps/clocks.wit")),
        ("filesystem.wit", include_str!("../wit/py/deps/filesystem.wit")),
        ("http.wit", include_str!("../wit/py/deps/http.wit")),
        ("random.wit", include_str!("../wit/py/deps/random.wit")),
        ("sockets.wit", include_str!("../wit/py/deps/sockets.wit")),
    ],
};

impl Wit {
    /// The `wit` folder of the guest in `dir`: its own; its own world with our packages if it has no `wit/deps`; or ours.
    pub(crate) fn place(&self, dir: &Path) -> Result<PathBuf, Error> {
        let wit = dir.join("wit");
        let deps = wit.join("deps");
        if deps.is_dir() {
            return Ok(wit);
        }
        if !wit.is_dir() {
            fs::create_dir_all(&wit).map_err(io("create", &wit))?;
            write(&wit.join("world.wit"), self.world)?;
        }
        fs::create_dir_all(&deps).map_err(io("create", &deps))?;
        self.deps.iter().try_for_each(|(name, text)| write(&deps.join(name), text))?;
        Ok(wit)
    }

    /// All of it, for the source hash.
    pub(crate) fn text(&self) -> String {
        self.deps.iter().fold(self.world.to_owned(), |all, (name, text)| all + name + text)
    }
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(io("write", file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_guest_keeps_what_it_brings() {
        let dir = tempfile::tempdir().unwrap();
        let wit = dir.path().join("wit");
        fs::create_dir_all(&wit).unwrap();
        fs::write(wit.join("world.wit"), "mine").unwrap();
        assert_eq!(JAVASCRIPT.place(dir.path()).unwrap(), wit);
        assert_eq!(fs::read_to_string(wit.join("world.wit")).unwrap(), "mine");
        assert!(wit.join("deps/http.wit").is_file());
        fs::write(wit.join("deps/http.wit"), "mine too").unwrap();
        JAVASCRIPT.place(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(wit.join("deps/http.wit")).unwrap(), "mine too");
    }
}
