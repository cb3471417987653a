//! The traces of alerts: all that have one are kept.

use std::sync::Arc;

use streamalert_proto::NotOwned;
use streamalert_store::ShardId;
use streamalert_types::{Alert, Clock, Span, SpanKind, SpanValue, Timestamp, Traceparent, Tracer};

use crate::route::Routed;

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

/// A group has become one alert. That goes on in the trace of the member that it has its fields of, and is linked with
/// all of them.
pub(crate) fn merged(tracer: &Tracer, merged: &Alert, members: &[Arc<Alert>]) {
    if !tracer.is_on() {
        return;
    }
    let Some(context) = Traceparent::accepted(merged) else {
        return;
    };
    let mut accepted = members
        .iter()
        .filter_map(|member| Some((member, Traceparent::accepted(member)?)));
    let parent = accepted
        .clone()
        .find(|(member, _)| member.traceparent == merged.traceparent)
        .map(|(_, accepted)| accepted);
    let mut attributes = about(merged);
    attributes.push(("messaging.batch.message_count", members.len().into()));
    let start = members.iter().map(|member| member.created).min();
    let links = accepted.by_ref().map(|(_, accepted)| accepted).take(LINKS_MAX);
    tracer.record(Span {
        context,
        parent,
        service: SERVICE,
        name: "merge group".into(),
        kind: SpanKind::Internal,
        start: start.unwrap_or(merged.created),
        end: merged.created,
        attributes,
        links: links.collect(),
        error: None,
    });
}
