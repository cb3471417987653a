use async_trait::async_trait;

use crate::v1;

/// One question or order of the command line to a running process.
#[derive(Debug, Clone, PartialEq)]
pub enum AdminRequest {
    /// Alerts, newest first.
    ListAlerts(v1::ListAlertsRequest),
    /// One alert and where it stands.
    ShowAlert(v1::ShowAlertRequest),
    /// Dead letters, oldest first.
    ListDeadLetters(v1::ListDeadLettersRequest),
    /// One dead letter with its body.
    ShowDeadLetter(v1::ShowDeadLetterRequest),
    /// Sends dead letters through the pipeline again.
    ReplayDeadLetters(v1::ReplayDeadLettersRequest),
    /// Counts per rule.
    RuleStats(v1::RuleStatsRequest),
    /// Counts per service.
    ServiceStats(v1::ServiceStatsRequest),
    /// Closes open merge groups now.
    FlushGroups(v1::FlushGroupsRequest),
    /// Which services run here and how they are.
    Status(v1::StatusRequest),
}

/// Why an admin request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no such alert, dead letter or rule.
    #[error("not found: {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The request makes no sense, or is for a service that does not run in this process.
    #[error("invalid request: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The process cannot be reached, drains, or its store is out of order. An order may have been carried out.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// Why, in one line.
        reason: String,
    },
}

impl AdminError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether an order may have been carried out although it failed.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// What the command line may ask of a running process: in the same process the process itself, else a client.
#[async_trait]
pub trait Admin: Send + Sync + 'static {
    /// Answers with JSON text whose shape is agreed between the process and the command line.
    ///
    /// # Errors
    /// See [`AdminError`].
    async fn ask(&self, request: AdminRequest) -> Result<String, AdminError>;
}
