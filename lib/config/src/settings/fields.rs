//! Fields of outputs. Which there are, and of what kind each is, is known to those who deliver; here is what a file can
//! say of one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outputs::{Secret, from_text};
use super::secrets::SecretValue;

/// A field as a setting gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FieldSetting {
    /// A text, or where it is.
    One(SecretValue),
    /// A whole number.
    Number(u64),
    /// A flag.
    Flag(bool),
    /// Texts.
    List(Vec<SecretValue>),
    /// Texts by name, such as the headers of a request.
    Table(BTreeMap<String, SecretValue>),
}

impl FieldSetting {
    pub(super) fn fits(value: &toml::Value) -> bool {
        Self::deserialize(value.clone()).is_ok()
    }

    pub(super) fn value(&self, env: &BTreeMap<String, String>) -> FieldValue {
        match self {
            Self::One(value) => FieldValue::One(from_text(value, env)),
            Self::Number(number) => FieldValue::Number(*number),
            Self::Flag(flag) => FieldValue::Flag(*flag),
            Self::List(items) => FieldValue::List(items.iter().map(|item| from_text(item, env)).collect()),
            Self::Table(entries) => FieldValue::Table(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), from_text(value, env)))
                    .collect(),
            ),
        }
    }
}

/// What a field of an output is set to. Any text may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// A text, or where it is.
    One(Secret),
    /// A whole number.
    Number(u64),
    /// A flag.
    Flag(bool),
    /// Texts.
    List(Vec<Secret>),
    /// Texts by name, such as the headers of a request.
    Table(BTreeMap<String, Secret>),
}

impl FieldValue {
    /// The texts in it.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::One(secret) => vec![secret],
            Self::Number(_) | Self::Flag(_) => Vec::new(),
            Self::List(items) => items.iter().collect(),
            Self::Table(entries) => entries.values().collect(),
        }
    }
}
