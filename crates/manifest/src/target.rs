//! A name in a manifest that stands for something that answers requests.

/// Something that answers requests, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Component(String),
    Upstream(String),
}

impl Target {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Component(name) | Self::Upstream(name) => name,
        }
    }
}
