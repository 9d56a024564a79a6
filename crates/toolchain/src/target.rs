//! What Rust guests can be compiled for. A closed set: each needs a standard library and a way to become a component.

/// What guests are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// `wasm32-wasip2`: std has stdio, clocks and files through WASI 0.2; the linker makes a component by itself.
    Wasip2,
    /// `wasm32-unknown-unknown`: smaller, imports nothing by itself; componentized through the same linker.
    UnknownUnknown,
}

impl Target {
    pub fn triple(self) -> &'static str {
        match self {
            Self::Wasip2 => "wasm32-wasip2",
            Self::UnknownUnknown => "wasm32-unknown-unknown",
        }
    }
}
