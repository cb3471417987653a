use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Alert;

/// An output with its descriptor, such as `slack:security` or `aws-firehose:alerts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName {
    text: Arc<str>,
    colon: usize,
}

/// Text that is not `service:descriptor`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an output of the form service:descriptor: {text:?}")]
pub struct OutputNameError {
    text: String,
}

impl OutputName {
    /// The history output that every alert goes to.
    #[must_use]
    pub fn history() -> Self {
        Self {
            text: "aws-firehose:alerts".into(),
            colon: 12,
        }
    }

    /// The part before the first colon.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The part after the first colon.
    #[must_use]
    pub fn descriptor(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// `service:descriptor`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for OutputName {
    type Err = OutputNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.find(':') {
            Some(colon) => Ok(Self {
                text: text.into(),
                colon,
            }),
            None => Err(OutputNameError {
                text: text.to_owned(),
            }),
        }
    }
}

/// One alert to bring to one output.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The alert.
    pub alert: Arc<Alert>,
    /// Where to.
    pub output: OutputName,
    /// Set when the alert's incident was opened at this output before: what is sent is an update of it.
    pub update: Option<Update>,
}

/// What is known of an incident that an output has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// What the output answered when the incident was opened, such as the key of the issue; `None` where it said
    /// nothing.
    pub reference: Option<Arc<str>>,
}

impl Update {
    /// What comes of how the delivery ended that was to open the incident: nothing, unless the output took it.
    #[must_use]
    pub fn of(first: &DeliveryOutcome) -> Option<Self> {
        match first {
            DeliveryOutcome::Delivered { reference, .. } => Some(Self {
                reference: reference.clone(),
            }),
            DeliveryOutcome::DeadLettered { .. } => None,
        }
    }
}

impl Delivery {
    /// The same for every attempt at this delivery, for ever: outputs that know idempotency keys get it.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.alert.id, self.output)
    }
}

/// How a delivery ended. Both outcomes are final and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The output took it.
    Delivered {
        /// Attempts made, the successful one included.
        attempts: u32,
        /// What the output calls the incident that the alert opened there, if more may come of it.
        reference: Option<Arc<str>>,
    },
    /// Given up and kept as a dead letter.
    DeadLettered {
        /// Attempts made.
        attempts: u32,
        /// Why, in one line.
        reason: String,
    },
}

impl DeliveryOutcome {
    /// Taken, after so many attempts.
    #[must_use]
    pub const fn delivered(attempts: u32) -> Self {
        Self::Delivered {
            attempts,
            reference: None,
        }
    }
}
