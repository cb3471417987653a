use std::collections::BTreeMap;

use streamalert_types::OutputName;

/// What one output has done since the start, and what it is at now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputStats {
    /// Deliveries that the output acknowledged.
    pub delivered: u64,
    /// Attempts begun.
    pub attempts: u64,
    /// Deliveries that became dead letters.
    pub dead: u64,
    /// Callers that joined a delivery already in progress.
    pub joined: u64,
    /// Publications that fell back to the default because the publisher failed.
    pub publisher_failures: u64,
    /// Deliveries that wait for their turn.
    pub waiting: u64,
    /// Deliveries that sit out the wait before another attempt.
    pub retrying: u64,
    /// Attempts under way.
    pub in_flight: u64,
    /// Deliveries that wait for the dead-letter store to take them.
    pub burying: u64,
    /// True when the output counts as down and is only probed.
    pub down: bool,
    /// The last failure, in one line, without secrets.
    pub last_error: Option<String>,
}

/// The figures of every output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DispatcherStats {
    /// By configured output.
    pub outputs: BTreeMap<OutputName, OutputStats>,
    /// Deliveries to names that no configuration knows; they become dead letters.
    pub unconfigured: OutputStats,
}
