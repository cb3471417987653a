//! `re`.

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::program::PyVersion;
use crate::registry::Args;

/// A compiled regular expression known since loading.
#[derive(Debug)]
pub struct Compiled {
    /// The pattern as written.
    pub pattern: Box<str>,
    /// `re` flags.
    pub flags: u32,
}

impl Compiled {
    /// Compiles.
    ///
    /// # Errors
    /// Why it cannot be translated.
    pub fn new(pattern: &str, flags: u32, _version: PyVersion) -> Result<Self, String> {
        Ok(Self {
            pattern: pattern.into(),
            flags,
        })
    }
}

/// Regular expressions made from texts at run time, kept for later events. Bounded.
#[derive(Debug, Default)]
pub struct Cache {}

/// A method of a pattern; `None` when there is no such method.
pub fn pattern_method<'a>(
    _cx: &Cx<'a>,
    _regex: &'a Compiled,
    _name: &str,
    _args: &Args<'_, 'a>,
) -> Option<R<'a>> {
    None
}

/// An attribute of a pattern.
///
/// # Errors
/// What Python raises.
pub fn pattern_attr<'a>(_cx: &Cx<'a>, _regex: &'a Compiled, _name: &str) -> R<'a, Option<Obj<'a>>> {
    Ok(None)
}
