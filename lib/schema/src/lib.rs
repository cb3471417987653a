//! Classification: from the bytes of a payload to records of known log types.
//!
//! [`SchemaSet::compile`] reads schema definitions in StreamAlert's format; [`SchemaSet::select`] makes the
//! [`Selection`] that one source reads; [`Selection::classify`] takes payloads apart. A payload is parsed once,
//! whatever the number of schemas: which schemas come into question is told by the set of keys.
//! Knows no tokio, no AWS, no tonic.

mod builtin;
mod classify;
mod convert;
mod csv;
mod envelope;
mod explain;
mod extract;
mod field;
mod glob;
mod json_path;
mod nearest;
mod normalize;
mod output;
mod pattern;
mod payload;
mod plan;
mod pool;
mod problem;
mod query;
mod raw_input;
mod refusal;
mod schema;
mod scratch;
mod selection;
mod set;
mod shape;
mod tally;
mod text_line;
mod unit;
mod unpack;

pub use builtin::builtin_schemas;
pub use explain::{SchemaExplanation, UnitExplanation, Verdict};
pub use output::{Classified, Failure, ParsedRecord, Unit};
pub use payload::{Body, Limits, Payload};
pub use problem::{SchemaError, SelectionError, Severity};
pub use query::Query;
pub use raw_input::{RawInput, RawInputError};
pub use refusal::Refusal;
pub use scratch::Scratch;
pub use selection::Selection;
pub use set::SchemaSet;
pub use tally::Tally;
