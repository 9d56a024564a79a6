//! How a component's requests run in one instance: what engine, linker and worker depend on.

/// How a component's requests run in one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One after the other: WASI 0.2 and nothing else.
    Sequential,
    /// Several at once, if it is allowed to: WASI 0.3.
    Concurrent,
}
