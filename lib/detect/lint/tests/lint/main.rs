//! Named cases for every check: rules as somebody might write them, and what is said of them.
#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod cases;
mod document;
mod support;
