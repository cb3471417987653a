//! StreamAlert's test events: found, read, run through the same code as `explain`, judged, told.
//!
//! The format is that of StreamAlert 3 (`manage.py test`): JSON files beside the rules, each a list of events.
//! What is read and what is judged is pure; [`Runner`] is the one part that runs rules.

mod event;
mod files;
mod fixtures;
mod helper;
mod junit;
mod kept;
mod mismatch;
mod override_record;
mod publisher_test;
mod row;
mod runner;
mod tell;
mod verdict;
mod watch;

pub(crate) use files::{EventFile, Targets};
pub(crate) use helper::Helpers;
pub(crate) use junit::Junit;
pub(crate) use kept::{Kept, KeptFile};
pub(crate) use mismatch::Mismatch;
pub(crate) use row::row;
pub(crate) use runner::{RuleBook, Runner};
pub(crate) use tell::{Heading, tell};
pub(crate) use verdict::Verdict;
pub(crate) use watch::{Snapshot, Touched};
