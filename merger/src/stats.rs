use std::collections::BTreeMap;

use streamalert_types::OutputName;

/// What a merger has done since its start, and what it has before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergerStats {
    /// Alerts made durable.
    pub accepted: u64,
    /// Alerts that were known already.
    pub duplicates: u64,
    /// Groups merged into one alert each.
    pub merged: u64,
    /// Groups closed before their window ended because open groups took more memory than they may.
    pub closed_early: u64,
    /// Groups that wait for their window to end.
    pub open_groups: u64,
    /// Alerts in those groups.
    pub grouped_alerts: u64,
    /// Bytes of memory that those groups take, by estimate.
    pub groups_bytes: u64,
    /// Groups that are complete and not closed in the store yet.
    pub closing_groups: u64,
    /// Accept calls to the store that are not answered yet.
    pub accepting: u64,
    /// Tombstones forgotten.
    pub expired: u64,
    /// Shards that this merger owns and has loaded.
    pub shards: u64,
    /// By output.
    pub outputs: BTreeMap<OutputName, OutputStats>,
}

/// What a merger has to do with one output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputStats {
    /// Outstanding at the dispatcher, or delivered and not yet noted in the store.
    pub outstanding: u64,
    /// Left in the store until there is room (an estimate).
    pub backlog: u64,
    /// Delivered since the start.
    pub delivered: u64,
    /// Given up and kept as dead letters since the start.
    pub dead_lettered: u64,
    /// Refused by the dispatcher for good; retried rarely. An operator is needed.
    pub refused: u64,
}

impl MergerStats {
    /// Outstanding deliveries of all outputs.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.outputs.values().map(|output| output.outstanding).sum()
    }

    /// Backlog of all outputs.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.outputs.values().map(|output| output.backlog).sum()
    }

    /// Adds what another lane did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.merged += other.merged;
        self.closed_early += other.closed_early;
        self.open_groups += other.open_groups;
        self.grouped_alerts += other.grouped_alerts;
        self.groups_bytes += other.groups_bytes;
        self.closing_groups += other.closing_groups;
        self.accepting += other.accepting;
        self.expired += other.expired;
        self.shards += other.shards;
        for (name, theirs) in &other.outputs {
            let ours = self.outputs.entry(name.clone()).or_default();
            ours.outstanding += theirs.outstanding;
            ours.backlog += theirs.backlog;
            ours.delivered += theirs.delivered;
            ours.dead_lettered += theirs.dead_lettered;
            ours.refused += theirs.refused;
        }
    }
}
