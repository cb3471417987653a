//! Generated rule modules and records, and the same questions put to two engines.
//!
//! [`Generator`] writes programs by the grammar in `grammar/` and records aimed at them; a [`Subject`] evaluates them;
//! [`run`] compares the answers with those of CPython, shrinks what differs and reports. Not shipped.

mod access;
mod answer;
mod compare;
mod expand;
mod fields;
mod grammar;
mod harness;
mod known;
mod literals;
mod native;
mod process;
mod program;
mod python;
mod real;
mod records;
mod report;
mod rng;
mod shrink;
mod subject;

pub use answer::{Answer, Aspect, Ran};
pub use harness::{Options, run};
pub use known::Known;
pub use native::native;
pub use program::{Generator, Program};
pub use python::Python;
pub use real::real_cases;
pub use report::{Difference, Report};
pub use rng::Rng;
pub use subject::{Case, Mode, Outcome, Subject, Trouble};
