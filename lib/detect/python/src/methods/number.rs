//! Methods of `int` and `float`.

use crate::registry::MethodFn;

/// The method of `int` of this name.
#[must_use]
pub fn int(_name: &str) -> Option<MethodFn> {
    None
}

/// The method of `float` of this name.
#[must_use]
pub fn float(_name: &str) -> Option<MethodFn> {
    None
}
