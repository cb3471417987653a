//! JSON values with Python's semantics.
//!
//! StreamAlert handed every record through CPython's `json` module and rules see Python objects. Whatever
//! touches a record here therefore needs unbounded integers, NaN and infinities, insertion-ordered
//! dictionaries, Python's `==`, truth value, `str()` and `repr()`. This crate is that model and nothing else.

mod value;

pub use value::{Map, Value};
