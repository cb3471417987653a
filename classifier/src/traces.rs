//! The traces of payloads, told when it is known that they are kept. Until then a payload costs four numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_types::{
    Clock, DeadLetter, DeadLetterKind, Position, RecordBatch, Source, Span, SpanKind, SpanValue, Timestamp,
    Traceparent, Tracer,
};

use crate::ledger::PayloadKey;

const SERVICE: &str = "classifier";

/// Links of one span at most; OpenTelemetry's limit where nobody sets another.
const LINKS_MAX: usize = 128;

/// What is remembered of every payload until it is acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) bytes: usize,
    pub(crate) received: Timestamp,
    /// A thread began with it.
    pub(crate) begun: Timestamp,
    pub(crate) classified: Timestamp,
}

/// What is known of a payload whose trace is kept.
#[derive(Debug, Default)]
struct Kept {
    place: Option<(Arc<Source>, Position)>,
    letters: usize,
    reason: Option<String>,
}

/// The payloads that are read and not acknowledged, and whose traces are kept.
pub(crate) struct Traces {
    tracer: Tracer,
    kept: BTreeMap<PayloadKey, Kept>,
}

impl Traces {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            kept: BTreeMap::new(),
        }
    }

    /// A payload was taken apart. Dead letters keep its trace.
    pub(crate) fn classified(&mut self, payload: PayloadKey, letters: &[DeadLetter]) {
        if !self.tracer.is_on() {
            return;
        }
        if let Some(letter) = letters.first()
            && let DeadLetterKind::Unclassified { source, position, .. } = &letter.kind
        {
            let kept = Kept {
                place: Some((source.clone(), position.clone())),
                letters: letters.len(),
                reason: Some(letter.reason.clone()),
            };
            self.kept.insert(payload, kept);
        }
    }

    /// The trace of a payload is kept.
    pub(crate) fn keep(&mut self, payload: PayloadKey, source: Arc<Source>, position: Position) {
        self.kept.entry(payload).or_default().place = Some((source, position));
    }

    /// A payload is done with, and its trace told if it is kept.
    pub(crate) fn acknowledged(&mut self, payload: PayloadKey, trip: Trip, now: impl FnOnce() -> Timestamp) {
        let Some(kept) = self.kept.remove(&payload) else {
            return;
        };
        let Some((source, position)) = kept.place else {
            return;
        };
        let received = Traceparent::received(&source, &position);
        self.tracer.record(Span {
            context: received,
            parent: position.caller(),
            service: SERVICE,
            name: format!("receive {}", source.resource).into(),
            kind: SpanKind::Consumer,
            start: trip.received,
            end: now(),
            attributes: vec![
                ("messaging.system", system(&source.service).into()),
                ("messaging.operation.name", "receive".into()),
                ("messaging.operation.type", "receive".into()),
                ("messaging.destination.name", (*source.resource).into()),
                (
                    "messaging.destination.partition.id",
                    position.partition_name().into(),
                ),
                ("messaging.message.id", position.sequence.to_string().into()),
                ("messaging.message.body.size", trip.bytes.into()),
                (
                    "streamalert.cluster",
                    source.cluster.as_deref().unwrap_or_default().into(),
                ),
            ],
            links: Vec::new(),
            error: None,
        });
        let mut attributes = Vec::new();
        if kept.letters > 0 {
            attributes.push(("streamalert.dead_letters", SpanValue::from(kept.letters)));
        }
        self.tracer.record(Span {
            context: Traceparent::classified(&source, &position),
            parent: Some(received),
            service: SERVICE,
            name: "classify".into(),
            kind: SpanKind::Internal,
            start: trip.begun,
            end: trip.classified,
            attributes,
            links: Vec::new(),
            error: kept.reason,
        });
    }
}

/// The messaging system as OpenTelemetry names it, of a service as StreamAlert names it.
fn system(service: &str) -> &str {
    match service {
        "sqs" => "aws_sqs",
        "sns" => "aws.sns",
        other => other,
    }
}

/// A batch on its way to the rules-node: a trace of its own, for it belongs to all of its records.
pub(crate) struct Sending(Option<(Traceparent, Timestamp)>);

impl Sending {
    /// A batch is about to be sent. It carries its context from now on.
    pub(crate) fn begin(tracer: &Tracer, clock: &dyn Clock, batch: &mut RecordBatch) -> Self {
        let Some(first) = batch.records.first().filter(|_| tracer.is_on()) else {
            return Self(None);
        };
        let context = Traceparent::apart("send", Traceparent::evaluated(first));
        batch.traceparent = context.to_string();
        Self(Some((context, clock.now())))
    }

    /// The batch was answered, and these of its records are kept.
    pub(crate) fn end(
        self,
        tracer: &Tracer,
        clock: &dyn Clock,
        batch: &RecordBatch,
        kept: &[u32],
        refused: Option<&str>,
    ) {
        let Some((context, start)) = self.0 else { return };
        let mut links: Vec<Traceparent> = kept
            .iter()
            .filter_map(|index| batch.records.get(*index as usize))
            .map(|record| Traceparent::classified(&record.source, &record.position))
            .take(LINKS_MAX)
            .collect();
        links.dedup();
        tracer.record(Span {
            context,
            parent: None,
            service: SERVICE,
            name: "send records".into(),
            kind: SpanKind::Producer,
            start,
            end: clock.now(),
            attributes: vec![
                ("messaging.system", "streamalert".into()),
                ("messaging.operation.name", "send".into()),
                ("messaging.operation.type", "send".into()),
                ("messaging.destination.name", "records".into()),
                ("messaging.batch.message_count", batch.records.len().into()),
            ],
            links,
            error: refused.map(str::to_owned),
        });
    }
}
