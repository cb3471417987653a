//! StreamAlert rules, written in Python, compiled and evaluated natively with CPython's semantics.
//!
//! The way of a rule: a loader exports the linked objects ([`export`]) → [`lower`] turns them into a [`program`] of
//! [`ir`] trees → [`guard`] finds out which records a rule can fire on at all → [`eval`] evaluates the rest on a
//! record whose JSON is read into an arena. What is not known here is no error but a *fallback point*: the (event,
//! rule) pair goes to CPython. That is safe, because nothing done here has an effect outside of the event's arena.
//!
//! Invariant: pure. No files, no threads, no clock of its own; nothing panics on input.

pub mod builtins;
pub mod cx;
pub mod engine;
pub mod env;
pub mod eval;
pub mod export;
pub mod guard;
pub mod ir;
pub mod iter;
pub mod load;
pub mod lower;
pub mod marks;
pub mod methods;
pub mod modules;
pub mod obj;
pub mod ops;
pub mod program;
pub mod registry;
#[doc(hidden)]
pub mod testing;
pub mod text;
pub mod types;
