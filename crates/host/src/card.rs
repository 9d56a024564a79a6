//! What a component is, imports and was granted, for people: the dashboard and `status`.

/// What a component is and imports.
#[derive(Clone, Debug, Default)]
pub struct Card {
    pub world: String,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub producers: Vec<String>,
    /// Bytes of the component.
    pub size: u64,
    /// Each capability there is: whether it was granted, and which of its interfaces are imported.
    pub capabilities: Vec<Capability>,
}

/// A capability as a component has it.
#[derive(Clone, Debug)]
pub struct Capability {
    pub name: &'static str,
    pub granted: bool,
    pub imported: Vec<String>,
}
