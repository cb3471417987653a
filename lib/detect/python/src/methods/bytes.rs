//! Methods of `bytes`.

use crate::registry::MethodFn;

/// The method of this name.
#[must_use]
pub fn lookup(_name: &str) -> Option<MethodFn> {
    None
}
