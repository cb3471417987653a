use std::fmt;
use std::sync::Arc;

use crate::outputs::{Output, Settings};
use crate::{DeliveryOptions, Secret};

/// A kind of output: what it is called, what it needs to know, how it is paced, and how one is made. Registry,
/// validation, prompts and documentation are all made from this.
pub struct Service {
    /// What stands before the colon of an output's name, such as `pagerduty-v2`.
    pub name: &'static str,
    /// For people, such as `PagerDuty (Events API v2)`.
    pub title: &'static str,
    /// The source of its `mod.rs`, whose doc comment is its documentation: `include_str!("mod.rs")`.
    pub source: &'static str,
    /// What it needs to know. Names that StreamAlert's credentials have keep them, so that those can be read.
    pub fields: &'static [Field],
    /// How far it may go.
    pub reach: Reach,
    /// How deliveries are paced unless the settings say otherwise.
    pub delivery: fn() -> DeliveryOptions,
    /// Makes one. Touches no network and no file of the output itself.
    pub(crate) make: fn(&Settings<'_>) -> Result<Arc<dyn Output>, String>,
    /// What the suite of all outputs needs to know.
    #[cfg(test)]
    pub(crate) case: fn() -> crate::outputs::suite::Case,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Its field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field that a plain text in `conf/outputs.json` gives, if it has one.
    #[must_use]
    pub fn short_field(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.is_short)
    }

    /// The lines of the doc comment at the top of its `mod.rs`.
    #[must_use]
    pub fn page(&self) -> String {
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        lines
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Which addresses the names in an output's urls may lead to. An address that stands in the url itself as numbers is
/// always one that the operator wants; `allow_internal` in the settings allows names too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A service of the public internet: a name that leads to an internal address is refused.
    Public,
    /// Something that people also run themselves: any address.
    Any,
}

/// One thing that an output needs to know.
#[derive(Debug)]
pub struct Field {
    /// Its name in settings and credentials.
    pub name: &'static str,
    /// One sentence without a full stop, for prompts and documentation.
    pub about: &'static str,
    /// What it is.
    pub kind: FieldKind,
    /// Whether there must be a value; false for those with a default.
    pub is_required: bool,
    /// Whether it must not be seen.
    pub is_secret: bool,
    /// Whether a plain text in `conf/outputs.json` means this field: the bucket of `aws-s3`, the queue of `aws-sqs`.
    pub is_short: bool,
    /// Taken when nothing is given.
    pub default: Option<&'static str>,
    /// Shown in documentation and prompts.
    pub example: &'static str,
    /// What is wrong with a value, without quoting it.
    pub check: fn(&str) -> Result<(), String>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text, or `{ env = "NAME" }` or `{ file = "PATH" }`.
    Text,
    /// A whole number from 0.
    Number,
    /// `true` or `false`.
    Flag,
    /// Names with texts that are as secret as the field is.
    Map,
    /// Texts.
    List,
}

impl Field {
    const fn new(name: &'static str, about: &'static str, is_required: bool) -> Self {
        Self {
            name,
            about,
            kind: FieldKind::Text,
            is_required,
            is_secret: false,
            is_short: false,
            default: None,
            example: "",
            check: anything,
        }
    }

    /// A text that must be given.
    pub(crate) const fn required(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, true)
    }

    /// A text that may be given.
    pub(crate) const fn optional(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, false)
    }

    /// It must not be seen.
    pub(crate) const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// A plain text in `conf/outputs.json` gives it.
    pub(crate) const fn short(mut self) -> Self {
        self.is_short = true;
        self
    }

    /// It holds something else than text.
    pub(crate) const fn kind(mut self, kind: FieldKind) -> Self {
        self.kind = kind;
        self
    }

    /// Its value when none is given.
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// What one looks like.
    pub(crate) const fn example(mut self, value: &'static str) -> Self {
        self.example = value;
        self
    }

    /// How a value is checked.
    pub(crate) const fn check(mut self, check: fn(&str) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }
}

fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

/// A check: an `http` or `https` url.
pub(crate) fn url(text: &str) -> Result<(), String> {
    crate::outputs::http::check_url(&Secret::new(text.to_owned()))
}

/// A check: neither a space nor a control character, as in tokens and keys.
pub(crate) fn token(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not have spaces or control characters".to_owned());
    }
    Ok(())
}
