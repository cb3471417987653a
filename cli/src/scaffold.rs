//! What `streamalert rules new` writes: a rule and its test events, made from the log type's schema.
//!
//! The example is one of ours for the built-in log types, else it is made from the schema. Whichever it is, it was
//! classified before it is written, so what is written passes `streamalert test`.

mod example;
mod made;
mod template;

pub(crate) use example::{Bystanders, Examples};
pub(crate) use template::{NewRule, Reference, events_text, rule_text};
