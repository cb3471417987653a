//! What is wrong with StreamAlert rules, told from their text alone: nothing of it is run.
//!
//! [`lint`] takes the texts of a project's rules and what is [`Known`] of its log types, outputs and publishers, and
//! answers [`Finding`]s with file, line, column, the code of the [`Check`] and how to mend it. It errs on the side of
//! silence: what cannot be told from the text is not complained of.
//!
//! Invariant: pure. No file is read here, and no text, however hostile, makes it panic or use stack without end.

mod check;
mod checks;
mod constant;
mod depth;
mod finding;
mod known;
mod module;
mod options;
mod regex;
mod rule;
mod source;
mod table;

pub use check::{CHECKS, Check, Code};
pub use checks::lint;
pub use finding::{Finding, Severity};
pub use known::{Kind, Known, Shape, SourceFile, datatypes};
pub use module::publishers;
pub use regex::backtracks;
pub use table::table;
