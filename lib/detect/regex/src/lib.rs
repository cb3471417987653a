//! Python's `re` for `str` patterns, on engines whose time is bounded.
//!
//! A pattern is read by Python's rules (a parser of our own) and its flags are applied until only sets of
//! characters, positions and structure are left. These run on
//!
//! - the linear-time engine of the `regex` crate, when it finds the very same match and groups as Python, or
//! - a backtracking engine of our own that takes Python's choices in Python's order, with a limit on steps.
//!
//! Invariant: a match found here is the match that CPython finds. Where that is not certain the answer is
//! [`CompileError::Untranslatable`] or [`MatchError`], and the caller asks CPython.
//!
//! Offsets are bytes of UTF-8, where Python counts characters.

mod ast;
mod backtrack;
mod casefold;
mod catastrophic;
mod charset;
mod error;
mod flags;
mod ir;
mod iterate;
mod limits;
mod linear;
mod literals;
mod parse;
mod pattern;
mod program;
mod quirks;
mod template;

pub use catastrophic::Catastrophic;
pub use error::{CompileError, Invalid, MatchError, Raised, TemplateError};
pub use flags::{Flags, PyVersion};
pub use iterate::{Found, Matches};
pub use limits::{
    BACKTRACK_FRAMES_MAX, BACKTRACK_STEPS_MAX, DEPTH_MAX, DFA_CACHE_BYTES_MAX, GROUPS_MAX, LOOKBEHIND_MAX,
    Limits, PATTERN_BYTES_MAX, PROGRAM_BYTES_MAX, UNFOLDED_MAX,
};
pub use pattern::{Anchor, Captures, Engine, Pattern};
pub use template::{Template, escape};
