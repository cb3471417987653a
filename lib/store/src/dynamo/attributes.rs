//! Items of DynamoDB, written and read attribute by attribute.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// An item that is not as we write them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("attribute {attribute} of {item}: {problem}")]
pub(super) struct ItemError {
    /// The item's key, or what is known of it.
    pub(super) item: String,
    pub(super) attribute: &'static str,
    pub(super) problem: String,
}

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// A set of texts; DynamoDB knows no empty one.
pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Option<AttributeValue> {
    let texts: Vec<String> = texts.map(str::to_owned).collect();
    if texts.is_empty() {
        None
    } else {
        Some(AttributeValue::Ss(texts))
    }
}

/// Reads an item, with errors that name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a> {
    pub(super) item: &'a Item,
    /// The attributes that name it in errors.
    pub(super) keys: [&'static str; 2],
}

impl<'a> Attributes<'a> {
    pub(super) fn error(self, attribute: &'static str, problem: impl Into<String>) -> ItemError {
        let key = |name: &str| match self.item.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => "?".to_owned(),
        };
        ItemError {
            item: format!("{}/{}", key(self.keys[0]), key(self.keys[1])),
            attribute,
            problem: problem.into(),
        }
    }

    pub(super) fn optional_text(self, name: &'static str) -> Result<Option<&'a str>, ItemError> {
        let text = self.item.get(name).map(AttributeValue::as_s).transpose();
        let text = text.map_err(|_| self.error(name, "not a text"))?;
        Ok(text.map(String::as_str))
    }

    pub(super) fn text(self, name: &'static str) -> Result<&'a str, ItemError> {
        self.optional_text(name)?
            .ok_or_else(|| self.error(name, "absent"))
    }

    pub(super) fn optional_number<N: std::str::FromStr>(
        self,
        name: &'static str,
    ) -> Result<Option<N>, ItemError> {
        let Some(value) = self.item.get(name) else {
            return Ok(None);
        };
        let digits = value.as_n().map_err(|_| self.error(name, "not a number"))?;
        let number = digits
            .parse()
            .map_err(|_| self.error(name, format!("{digits} is no such number")))?;
        Ok(Some(number))
    }

    pub(super) fn number<N: std::str::FromStr>(self, name: &'static str) -> Result<N, ItemError> {
        self.optional_number(name)?
            .ok_or_else(|| self.error(name, "absent"))
    }

    pub(super) fn optional_bytes(self, name: &'static str) -> Result<Option<&'a [u8]>, ItemError> {
        let blob = self.item.get(name).map(AttributeValue::as_b).transpose();
        let blob = blob.map_err(|_| self.error(name, "not binary"))?;
        Ok(blob.map(AsRef::as_ref))
    }

    /// The members of a set of texts, none when it is absent.
    pub(super) fn set(self, name: &'static str) -> Result<BTreeSet<&'a str>, ItemError> {
        let Some(value) = self.item.get(name) else {
            return Ok(BTreeSet::new());
        };
        let texts = value
            .as_ss()
            .map_err(|_| self.error(name, "not a set of texts"))?;
        Ok(texts.iter().map(String::as_str).collect())
    }

    /// The members of a map of maps, none when it is absent.
    pub(super) fn maps(self, name: &'static str) -> Result<BTreeMap<&'a str, &'a Item>, ItemError> {
        let Some(value) = self.item.get(name) else {
            return Ok(BTreeMap::new());
        };
        let not_maps = |_| self.error(name, "not a map of maps");
        let members = value.as_m().map_err(not_maps)?;
        members
            .iter()
            .map(|(key, value)| Ok((key.as_str(), value.as_m().map_err(not_maps)?)))
            .collect()
    }

    /// Anything that is written as text.
    pub(super) fn parsed<T: std::str::FromStr>(self, name: &'static str, text: &str) -> Result<T, ItemError> {
        text.parse()
            .map_err(|_| self.error(name, format!("{text:?} is not one")))
    }
}
