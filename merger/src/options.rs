use std::time::Duration;

use streamalert_types::Tracer;

/// Settings of a merger. Every limit is for the node as a whole and shared evenly by its lanes.
#[derive(Debug, Clone)]
pub struct MergerOptions {
    /// Who holds the leases; no other node has this name. The same name after a restart takes them back at once.
    pub node: String,
    /// Virtual shards of the deployment. Must never change while alerts are stored: it decides where they are.
    pub shards: u16,
    /// Actors that share the shards. One keeps a core busy; a lane costs a task and a timer.
    pub lanes: usize,
    /// Alerts a merge group may hold; a full group closes at once. StreamAlert: 50, to bound a merged alert.
    pub group_alerts_max: usize,
    /// Bytes of alerts a merge group may hold; a group that holds as many closes at once.
    pub group_bytes_max: usize,
    /// Groups that may be open. Beyond it those nearest to their end close early.
    pub groups_max: usize,
    /// Waited beyond a group's window for alerts that were created in time and are still on their way.
    /// StreamAlert looked once a minute, which was 30 seconds on average.
    pub window_grace: Duration,
    /// Bytes that open groups may take in memory (ids and metadata, about 350 bytes for a group of one, 56 for
    /// each further alert). Beyond it the groups nearest to their end close early: nothing is lost or refused.
    pub groups_bytes_max: usize,
    /// Bytes of records being read and merged at the same time, so that 100,000 groups ending in one second
    /// do not have their records in memory together.
    pub closing_bytes_max: usize,
    /// Groups being closed at the same time.
    pub closing_groups_max: usize,
    /// Bytes of alerts accepted and not yet durable. A caller beyond it waits: this is the backpressure on the
    /// rules-nodes.
    pub accept_bytes_max: usize,
    /// Deliveries outstanding at the dispatcher per output. The rest stays in the store.
    pub output_deliveries_max: usize,
    /// Bytes of alerts outstanding at the dispatcher per output.
    pub output_bytes_max: usize,
    /// How long the tombstone of a settled alert is kept: a replay within this time raises nothing again.
    pub alerts_kept: Duration,
    /// How often expired tombstones are looked for.
    pub expire_every: Duration,
    /// How long a lease must stand still before another node takes it; renewed three times within that.
    pub lease: Duration,
    /// No other process reaches the store, whose file this one has locked: all shards are taken at once, whoever
    /// had them, and are kept while the store is out of order.
    pub alone: bool,
    /// Where rules-nodes reach this merger, as `host:port`.
    pub address: Option<String>,
    /// How long a drain waits for deliveries that are outstanding. Those that are not settled then are
    /// delivered again after the next start, with the same idempotency key.
    pub drain_patience: Duration,
    /// Tells of alerts made durable and of groups merged.
    pub tracer: Tracer,
}

impl Default for MergerOptions {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            shards: 256,
            lanes: 2,
            group_alerts_max: 50,
            group_bytes_max: 16 << 20,
            groups_max: 10_000_000,
            window_grace: Duration::from_secs(1),
            groups_bytes_max: 256 << 20,
            closing_bytes_max: 32 << 20,
            closing_groups_max: 256,
            accept_bytes_max: 32 << 20,
            output_deliveries_max: 512,
            output_bytes_max: 8 << 20,
            alerts_kept: Duration::from_hours(7 * 24),
            expire_every: Duration::from_mins(1),
            lease: Duration::from_secs(30),
            alone: false,
            address: None,
            drain_patience: Duration::from_secs(5),
            tracer: Tracer::default(),
        }
    }
}

impl MergerOptions {
    /// The share of one lane; every limit stays at least 1.
    pub(crate) fn per_lane(&self) -> Self {
        let share = |limit: usize| (limit / self.lanes.max(1)).max(1);
        Self {
            groups_max: share(self.groups_max),
            groups_bytes_max: share(self.groups_bytes_max),
            closing_bytes_max: share(self.closing_bytes_max),
            closing_groups_max: share(self.closing_groups_max),
            output_deliveries_max: share(self.output_deliveries_max),
            output_bytes_max: share(self.output_bytes_max),
            ..self.clone()
        }
    }
}
