//! Rules about dead letters that every implementation shares.

use streamalert_types::{DeadLetter, DeadLetterKind};

/// What a letter counts for beside its body: row, indexes and reason. Bounds the number of tiny letters too.
const LETTER_OVERHEAD_BYTES: u64 = 512;

/// Bytes that a letter counts for against the limit on dead letters.
pub(crate) fn letter_weight(letter: &DeadLetter) -> u64 {
    letter.body.len() as u64 + LETTER_OVERHEAD_BYTES
}

/// The kind of a letter as [`crate::DeadLetterFilter::kind`] names it.
pub(crate) const fn kind_name(kind: &DeadLetterKind) -> &'static str {
    match kind {
        DeadLetterKind::Unclassified { .. } => "unclassified",
        DeadLetterKind::RuleFailure { .. } => "rule",
        DeadLetterKind::Undelivered { .. } => "undelivered",
    }
}

/// What [`crate::StoreError::Full`] says when the dead letters are at their limit.
pub(crate) fn letters_full(held_bytes: u64, bytes_max: u64) -> String {
    format!("dead letters hold {held_bytes} of {bytes_max} bytes; replay or remove some")
}
