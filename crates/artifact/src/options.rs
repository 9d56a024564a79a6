//! How large and how intricate a component may be. Numbers only; `read`, `scan` and `admit` hold bytes against them.

/// The size up to which `Options::default` admits, in bytes: 256 MiB, ten times what JavaScript and Python engines need.
pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// What is admitted at most. The defaults are far above what toolchains make and far below what hurts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Size in bytes.
    pub max_bytes: u64,
    /// Levels of components in components, and of types in types.
    pub max_nesting: usize,
    /// Imports of the outermost component.
    pub max_imports: usize,
    /// Exports of the outermost component.
    pub max_exports: usize,
    /// Core modules on all levels together.
    pub max_core_modules: usize,
    /// Core instances on all levels together.
    pub max_core_instances: usize,
    /// Functions in core modules, on all levels together. Compiling one takes some KiB and µs, however short it is.
    pub max_functions: usize,
    /// Bytes of one function's code. Compiling takes up to a thousand times as much memory.
    pub max_function_bytes: usize,
    /// Variables of one function, its parameters aside. With many loops, compiling takes time by their product.
    pub max_variables: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bytes: DEFAULT_MAX_BYTES,
            max_nesting: 32,
            max_imports: 1_000,
            max_exports: 1_000,
            max_core_modules: 1_000,
            max_core_instances: 1_000,
            // Five times as many as a JavaScript engine has; its longest function has 171 KB, Python's 427 KB; the most
            // variables are 483.
            max_functions: 100_000,
            max_function_bytes: 2 << 20,
            max_variables: 10_000,
        }
    }
}
