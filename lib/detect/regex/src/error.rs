//! What can go wrong: in a pattern, in a template, at match time.

use std::fmt;

/// The class of exception that Python raises for a bad pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// `re.error`, `re.PatternError` since 3.13.
    ReError,
    /// `ValueError`, for flags that exclude each other.
    ValueError,
    /// `OverflowError`, for a repetition of 2³² − 1 and more.
    OverflowError,
    /// `IndexError`, for a group name that a template uses and the pattern lacks.
    IndexError,
}

/// Python refuses the pattern or template with this error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The exception's class.
    pub raised: Raised,
    /// `re.error.msg`, without the position.
    pub message: String,
    /// `re.error.pos`, in characters. None where Python gives none.
    pub position: Option<usize>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{} at position {position}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why a pattern was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Python refuses the pattern too.
    #[error("{0}")]
    Invalid(Invalid),
    /// Python may accept the pattern. It is not run here, since the result could differ or the cost is unbounded.
    #[error("not translated: {reason}")]
    Untranslatable {
        /// What stands in the way.
        reason: &'static str,
    },
}

/// Why a replacement template was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Python refuses the template too.
    #[error("{0}")]
    Invalid(Invalid),
    /// Python may accept the template.
    #[error("not translated: {reason}")]
    Untranslatable {
        /// What stands in the way.
        reason: &'static str,
    },
}

/// Why a search gave no answer. The caller asks CPython instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The backtracking engine did its maximum of steps, or kept its maximum of choices.
    #[error("backtracking limit reached")]
    Backtracking,
    /// `match` with `pos` behind `endpos`: CPython finds an empty match there by accident.
    #[error("match region ends before it begins")]
    Region,
}

pub(crate) fn invalid(message: impl Into<String>, position: usize) -> CompileError {
    CompileError::Invalid(Invalid {
        raised: Raised::ReError,
        message: message.into(),
        position: Some(position),
    })
}

pub(crate) fn untranslatable(reason: &'static str) -> CompileError {
    CompileError::Untranslatable { reason }
}
