//! JSON values with Python's semantics.
//!
//! StreamAlert's schemas and rules were written against CPython: `1 == 1.0 == True`, `str(True)` is `"True"`,
//! NaN is a number that JSON may hold, integers have no size, a text may hold half a surrogate pair, and a
//! dictionary's text form is its `repr()`. This crate is that model and nothing else.
//!
//! Two forms of a document: [`Doc`], an arena over the source text for the hot path (one pass, reusable
//! buffers, no allocation per value), and [`Value`], an owned tree.

mod decode;
mod doc;
mod error;
mod hash;
mod number;
mod python;
mod read;
mod scan;
mod text;
mod value;
mod write;

pub use decode::decode_json_bytes;
pub use doc::{Doc, Items, Kind, Members, NodeRef, Tree};
pub use error::{JsonError, JsonErrorKind};
pub use hash::key_hash;
pub use number::{float_repr, integer_of_float, parse_python_float, parse_python_int};
pub use read::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
pub use text::{write_json_text, write_python_repr};
pub use value::{Map, Value};
pub use write::JsonStyle;
