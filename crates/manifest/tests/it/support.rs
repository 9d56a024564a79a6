//! What all tests check manifests with.

use coracle_manifest::{App, CheckOptions, Diagnostics, Source, check};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const GRANTS: &[&str] = &["config", "env", "files", "http", "keyvalue"];
pub const STORES: &[&str] = &["keyvalue"];

pub fn variables(name: &str) -> Option<String> {
    match name {
        "REDIS_URL" => Some("redis://cache:6379".to_owned()),
        "BRACES" => Some("{{ REDIS_URL }}".to_owned()),
        _ => None,
    }
}

pub fn options(env: Option<&str>) -> CheckOptions<'_> {
    CheckOptions {
        env,
        variables: &variables,
        known_grants: GRANTS,
        known_store_kinds: STORES,
        base_dir: Path::new("/app"),
    }
}

/// Checks a source under the variant `env`.
pub fn checked(source: Source, env: Option<&str>) -> (Option<App>, Diagnostics, Arc<Source>) {
    let source = Arc::new(source);
    let (app, diags) = check(source.clone(), &options(env));
    assert_eq!(app.is_none(), diags.has_errors(), "an app comes out exactly when there is no error");
    (app, diags, source)
}

/// The app of a text that must have no error.
pub fn app_of(text: &str, env: Option<&str>) -> App {
    let (app, diags, source) = checked(Source::new("coracle.toml", text), env);
    app.unwrap_or_else(|| panic!("{}", diags.render(&source, false)))
}

/// The messages of a text, in order.
pub fn messages(text: &str) -> Vec<String> {
    let (_, diags, _) = checked(Source::new("coracle.toml", text), None);
    diags.sorted().into_iter().map(|item| item.message.clone()).collect()
}

/// Every `.toml` of a folder beside the tests, by name.
pub fn manifests(folder: &str) -> Vec<(String, PathBuf)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}

/// The manifests of the examples that users copy, by the name of their folder.
pub fn examples() -> Vec<(String, PathBuf)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().join("coracle.toml")))
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    found
}

/// Reads a manifest; its first line may be `# env: NAME`, the variant to choose.
pub fn load(path: &Path) -> (Source, Option<String>) {
    let mut source = Source::load(path).unwrap();
    source.path = "coracle.toml".into();
    let env = source.text.lines().next().and_then(|line| line.strip_prefix("# env: ")).map(str::to_owned);
    (source, env)
}
