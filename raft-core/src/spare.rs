//! Memory that is used again.
//!
//! Invariant: it is no part of what a node is: one with spare memory equals one without, and a copy begins without.

use core::hash::{Hash, Hasher};

/// Something emptied that can be filled again, or nothing.
#[derive(Debug)]
pub(crate) struct Spare<T>(Option<T>);

impl<T: Default> Spare<T> {
    /// What was kept last, or a new one.
    pub(crate) fn take(&mut self) -> T {
        self.0.take().unwrap_or_default()
    }

    /// Keeps something that is empty.
    pub(crate) fn keep(&mut self, empty: T) {
        self.0 = Some(empty);
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl<T> PartialEq for Spare<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Spare<T> {}

impl<T> Hash for Spare<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
