//! Finds the guests that `cargo xtask guests` has built.

use std::path::PathBuf;

/// The component of a guest, such as `p3/hello`.
///
/// It is looked for in `$CORACLE_GUESTS`, else in `guests/` of cargo's target directory.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("CORACLE_GUESTS").map_or_else(|| target_dir().join("guests"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "the guest {name} is not built ({} is missing): run `cargo xtask guests`", path.display());
    path
}

/// Cargo's target directory: test programs live in `<target>/<profile>/deps/`.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    program.ancestors().nth(3).expect("test programs live in <target>/<profile>/deps").to_owned()
}
