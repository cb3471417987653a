use std::sync::Arc;

use async_trait::async_trait;
use streamalert_types::Record;
use streamalert_value::Map;

use crate::{RecordOutcome, RuleSet};

/// How records are to be evaluated.
#[derive(Debug, Clone, Default)]
pub struct EvaluateOptions {
    /// Report every candidate rule, not only those that fired or failed.
    pub trace: bool,
    /// Replaces what rules look up, for tests.
    pub fixtures: Option<Arc<Fixtures>>,
}

/// Stand-ins for what rules look up outside of the record.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// Lookup tables by name; each a dictionary. They replace the configured tables altogether.
    pub lookup_tables: Map,
}

/// Why records could not be evaluated at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// No worker can be started, or the runtime is shutting down.
    #[error("rule runtime unavailable: {reason}")]
    Unavailable {
        /// Why, in one line.
        reason: String,
    },
}

impl RuntimeError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Evaluation changes nothing outside of the runtime.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        false
    }
}

/// Whatever evaluates rules. A rule that misbehaves costs its own outcome and nothing else.
#[async_trait]
pub trait RuleRuntime: Send + Sync + 'static {
    /// The rules it evaluates.
    fn rules(&self) -> Arc<RuleSet>;

    /// The rule set of this moment as a runtime that never changes, so that [`RuleRuntime::rules`] and
    /// [`RuleRuntime::evaluate`] are about the same rules; `None` when this one never changes.
    fn fixed(&self) -> Option<Arc<dyn RuleRuntime>> {
        None
    }

    /// Evaluates every candidate rule on every record, answering in the order of `records`. Waits while the
    /// runtime's queue is full: the caller's own bound is how many calls it makes at once.
    ///
    /// # Errors
    /// See [`RuntimeError`]. Dropping the future abandons the work at the next slice.
    async fn evaluate(
        &self,
        records: Vec<Record>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError>;
}
