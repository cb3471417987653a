use std::fmt;

use streamalert_types::NearestSchema;

/// A difference in keys is farther than one in values, and one in the envelope farther than both.
pub(crate) const KEYS_DISTANCE: usize = 4;
pub(crate) const ENVELOPE_DISTANCE: usize = 64;

/// Why a schema did not take a unit, or a record of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The schema has an error; see the problems that compiling answered with.
    Broken,
    /// The unit or record is not of the form that the parser reads.
    Form(String),
    /// The record's keys are not those of the schema.
    Keys {
        /// Keys the schema needs and the record lacks.
        missing: Vec<String>,
        /// Keys the record has and the schema does not know.
        unexpected: Vec<String>,
    },
    /// Values that do not convert, as `key: not an integer`.
    WrongType(Vec<String>),
    /// The value under this key does not match its pattern.
    Pattern(String),
    /// Keys of the envelope that the root of the unit lacks, or that do not convert.
    Envelope(Vec<String>),
}

impl Refusal {
    /// How far the schema was from matching.
    pub(crate) fn distance(&self) -> usize {
        match self {
            Self::Pattern(_) => 1,
            Self::WrongType(fields) => fields.len(),
            Self::Keys { missing, unexpected } => KEYS_DISTANCE + missing.len() + unexpected.len(),
            Self::Envelope(keys) => ENVELOPE_DISTANCE + keys.len(),
            Self::Form(_) | Self::Broken => usize::MAX,
        }
    }

    /// As the nearest schema of a dead letter.
    pub(crate) fn nearest(&self, log_type: &str) -> Option<NearestSchema> {
        let mut nearest = NearestSchema {
            log_type: log_type.to_owned(),
            ..NearestSchema::default()
        };
        match self {
            Self::Keys { missing, unexpected } => {
                nearest.missing.clone_from(missing);
                nearest.unexpected.clone_from(unexpected);
            }
            Self::WrongType(fields) => nearest.wrong_type.clone_from(fields),
            Self::Pattern(key) => nearest
                .wrong_type
                .push(format!("{key}: does not match log_patterns")),
            Self::Envelope(keys) => nearest.missing.clone_from(keys),
            Self::Form(_) | Self::Broken => return None,
        }
        Some(nearest)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the schema has an error"),
            Self::Form(problem) => f.write_str(problem),
            Self::Keys { missing, unexpected } => {
                let parts = [("missing", missing), ("unexpected", unexpected)];
                let parts = parts.iter().filter(|(_, keys)| !keys.is_empty());
                let parts: Vec<String> = parts
                    .map(|(what, keys)| format!("{what} {}", keys.join(", ")))
                    .collect();
                f.write_str(&parts.join("; "))
            }
            Self::WrongType(fields) => f.write_str(&fields.join("; ")),
            Self::Pattern(key) => write!(f, "{key} does not match its pattern"),
            Self::Envelope(keys) => write!(f, "envelope: {}", keys.join("; ")),
        }
    }
}
