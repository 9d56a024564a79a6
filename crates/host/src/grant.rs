//! Grants as plugins resolved them: found by their type, never by name.

use std::any::Any;
use std::sync::Arc;

/// A grant, resolved.
#[derive(Clone)]
pub enum Grant {
    Denied,
    /// The plugin's own type; found again with [`crate::Grants::get`].
    Given(Arc<dyn Any + Send + Sync>),
}

/// The grants of a component, as plugins resolved them.
#[derive(Clone, Default)]
pub struct Grants(Vec<Arc<dyn Any + Send + Sync>>);

impl Grants {
    pub(crate) fn push(&mut self, grant: &Grant) {
        if let Grant::Given(grant) = grant {
            self.0.push(grant.clone());
        }
    }

    /// The grant of this type. There are few, so they are simply searched.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.iter().find_map(|grant| grant.clone().downcast().ok())
    }
}
