//! Classification: from the bytes of a payload to records of known log types.
//!
//! [`SchemaSet::compile`] reads schema definitions in StreamAlert's format; [`SchemaSet::select`] makes the
//! [`Selection`] that one source reads; [`Selection::classify`] takes payloads apart. A payload is parsed once,
//! whatever the number of schemas: which schemas come into question is told by the set of keys.
//! Knows no tokio, no AWS, no tonic.

mod output;
mod payload;
mod problem;
mod raw_input;
mod scratch;
mod set;

pub use output::{Classified, Failure, ParsedRecord, Unit};
pub use payload::{Body, Limits, Payload};
pub use problem::{SchemaError, SelectionError, Severity};
pub use raw_input::{RawInput, RawInputError};
pub use scratch::Scratch;
pub use set::{SchemaSet, Selection};
