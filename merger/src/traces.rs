//! The traces of alerts: all that have one are kept.

use std::sync::Arc;

use streamalert_proto::NotOwned;
use streamalert_store::ShardId;
use streamalert_types::{Alert, Clock, Span, SpanKind, SpanValue, Timestamp, Traceparent, Tracer};

use streamalert_detect::merge::Routed;

const SERVICE: &str = "merger";

/// Links of one span at most; OpenTelemetry's limit where nobody sets another.
const LINKS_MAX: usize = 128;

/// Alerts on their way to being durable.
pub(crate) struct Acceptance {
    alerts: Vec<(ShardId, Arc<Alert>)>,
    start: Timestamp,
}

impl Acceptance {
    /// A batch of them has come.
    pub(crate) fn begin(tracer: &Tracer, clock: &dyn Clock) -> Self {
        let start = if tracer.is_on() {
            clock.now()
        } else {
            Timestamp::EPOCH
        };
        Self {
            alerts: Vec::new(),
            start,
        }
    }

    /// These are in it.
    pub(crate) fn of<'a>(&mut self, tracer: &Tracer, alerts: impl Iterator<Item = &'a Routed>) {
        if tracer.is_on() {
            self.alerts
                .extend(alerts.map(|routed| (routed.shard, Arc::clone(&routed.alert))));
        }
    }

    /// They are durable, but for those of shards that are another node's.
    pub(crate) fn end(self, tracer: &Tracer, clock: &dyn Clock, not_owned: &[NotOwned]) {
        if self.alerts.is_empty() {
            return;
        }
        let end = clock.now();
        for (shard, alert) in &self.alerts {
            if not_owned.iter().any(|owned| owned.shard == shard.0) {
                continue;
            }
            let (Some(context), Ok(parent)) = (Traceparent::accepted(alert), alert.traceparent.parse())
            else {
                continue;
            };
            let mut attributes = about(alert);
            attributes.extend([
                ("messaging.system", "streamalert".into()),
                ("messaging.operation.name", "accept".into()),
                ("messaging.operation.type", "process".into()),
                ("messaging.destination.name", "alerts".into()),
                ("messaging.batch.message_count", self.alerts.len().into()),
                ("streamalert.alert.merges", alert.merge_enabled().into()),
            ]);
            tracer.record(Span {
                context,
                parent: Some(parent),
                service: SERVICE,
                name: "accept".into(),
                kind: SpanKind::Consumer,
                start: self.start,
                end,
                attributes,
                links: Vec::new(),
                error: None,
            });
        }
    }
}

fn about(alert: &Alert) -> Vec<(&'static str, SpanValue)> {
    vec![
        ("streamalert.alert.id", alert.id.to_string().into()),
        ("streamalert.rule", (*alert.rule_name).into()),
    ]
}

/// Tells of groups that were merged.
pub(crate) struct GroupTraces {
    tracer: Tracer,
    clock: Arc<dyn Clock>,
}

impl GroupTraces {
    pub(crate) fn new(tracer: &Tracer, clock: &Arc<dyn Clock>) -> Self {
        Self {
            tracer: tracer.clone(),
            clock: Arc::clone(clock),
        }
    }

    /// A group has become one alert, made when it was closed. That goes on in the trace of the member that it has its
    /// fields of, and is linked with all of them. The window is the gap between the two.
    pub(crate) fn merged(&self, merged: &Alert, members: &[Arc<Alert>]) {
        if !self.tracer.is_on() {
            return;
        }
        let Some(context) = Traceparent::accepted(merged) else {
            return;
        };
        let parent = members
            .iter()
            .find(|member| member.traceparent == merged.traceparent)
            .and_then(|member| Traceparent::accepted(member));
        let mut attributes = about(merged);
        attributes.push(("messaging.batch.message_count", members.len().into()));
        if let Some(first) = members.iter().map(|member| member.created).min() {
            attributes.push(("streamalert.group.first", first.to_string().into()));
        }
        let links = members.iter().filter_map(|member| Traceparent::accepted(member));
        self.tracer.record(Span {
            context,
            parent,
            service: SERVICE,
            name: "merge group".into(),
            kind: SpanKind::Internal,
            start: merged.created,
            end: self.clock.now(),
            attributes,
            links: links.take(LINKS_MAX).collect(),
            error: None,
        });
    }
}
