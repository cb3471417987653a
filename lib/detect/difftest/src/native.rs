//! The native engine as a [`Subject`]: to be filled in as soon as there is one.

use crate::subject::Subject;

/// The native engine; `None` while there is none.
#[must_use]
pub fn native() -> Option<Box<dyn Subject>> {
    None
}
