use streamalert_value::Value;

/// What an output is to send for an alert.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The publication, a dictionary.
    pub value: Value,
    /// Why the plain output dictionary stands in for what the publishers should have made, in one line.
    pub fallback: Option<String>,
}

/// Why an alert could not be published at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No worker can be started, or the pool is shutting down.
    #[error("publishers unavailable: {reason}")]
    Unavailable {
        /// Why, in one line.
        reason: String,
    },
    /// The alert's record is not one JSON object.
    #[error("the alert's record is not json")]
    BadRecord,
}

impl PublishError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Publishers have no effects that we know of.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        false
    }
}
