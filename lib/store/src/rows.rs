//! How rows are written in the embedded store. One file per row; each row begins with the version of its
//! layout, and a reader refuses versions that it does not know.

mod alert;
mod checkpoint;
mod lease;
mod letter;
mod standing;
mod wire;

pub(crate) use alert::{decode_alert, encode_alert, peek_rule};
pub(crate) use checkpoint::{decode_checkpoint, encode_checkpoint};
pub(crate) use lease::{decode_lease, encode_lease};
pub(crate) use letter::{decode_letter, encode_letter};
pub(crate) use standing::{decode_standing, encode_standing};
pub(crate) use wire::RowError;

#[cfg(test)]
pub(crate) mod tests;
