//! The traces of the records of a batch, told when it is known which of them are kept.

use streamalert_types::{
    Clock, Record, RecordBatch, Span, SpanKind, SpanValue, Timestamp, Traceparent, Tracer,
};

use crate::outcomes::Raised;

const SERVICE: &str = "rules-node";

/// Links of one span at most; OpenTelemetry's limit where nobody sets another.
const LINKS_MAX: usize = 128;

/// A batch that is being evaluated.
pub(crate) struct BatchTrace {
    /// Where the classifier sent it.
    sent: Option<Traceparent>,
    records: usize,
    /// Ordinary records that are kept.
    sampled: Vec<(u32, Record)>,
    start: Timestamp,
    evaluated: Timestamp,
}

impl BatchTrace {
    pub(crate) fn begin(tracer: &Tracer, clock: &dyn Clock, batch: &RecordBatch) -> Self {
        let start = if tracer.is_on() {
            clock.now()
        } else {
            Timestamp::EPOCH
        };
        let mut sampled = tracer.sample(batch.records.len());
        if tracer.is_on() {
            // Whoever sent them keeps their trace, and is to find it whole.
            let kept_by_caller =
                |record: &Record| record.position.caller().is_some_and(Traceparent::is_sampled);
            let by_caller = (0..)
                .zip(&batch.records)
                .filter(|(_, record)| kept_by_caller(record));
            sampled.extend(by_caller.map(|(index, _)| index));
            sampled.sort_unstable();
            sampled.dedup();
        }
        Self {
            sent: batch.traceparent.parse().ok(),
            records: batch.records.len(),
            sampled: sampled
                .into_iter()
                .filter_map(|index| Some((index, batch.records.get(index as usize)?.clone())))
                .collect(),
            start,
            evaluated: start,
        }
    }

    /// The rules have answered.
    pub(crate) fn evaluated(&mut self, clock: &dyn Clock) {
        // Asked for what is not traced either: one look at the clock for a batch.
        self.evaluated = clock.now();
    }

    /// Everything that came of it is durable. `places` tells of each outcome which record of the batch it is about.
    /// Answers which records are kept, whoever traces.
    pub(crate) fn end(self, tracer: &Tracer, raised: &[Raised], places: &[u32]) -> Vec<u32> {
        let place = |raised: &Raised| places.get(raised.index).copied();
        let mut kept: Vec<u32> = raised.iter().filter_map(place).collect();
        let ordinary: Vec<&(u32, Record)> = self
            .sampled
            .iter()
            .filter(|(index, _)| kept.binary_search(index).is_err())
            .collect();
        if tracer.is_on() && !(kept.is_empty() && ordinary.is_empty()) {
            let batch = self.batch_context(raised.first().map(|raised| &raised.record));
            let mut links = Vec::new();
            for raised in raised {
                links.push(self.record(tracer, &raised.record, batch, Some(raised)));
            }
            for (_, record) in &ordinary {
                links.push(self.record(tracer, record, batch, None));
            }
            self.batch(tracer, batch, links);
        }
        kept.extend(ordinary.iter().map(|(index, _)| *index));
        kept
    }

    fn batch_context(&self, raised: Option<&Record>) -> Option<Traceparent> {
        let record = raised.or_else(|| Some(&self.sampled.first()?.1))?;
        Some(match self.sent {
            Some(sent) => sent.child("evaluate", 0),
            None => Traceparent::apart("evaluate", Traceparent::evaluated(record)),
        })
    }

    fn record(
        &self,
        tracer: &Tracer,
        record: &Record,
        batch: Option<Traceparent>,
        raised: Option<&Raised>,
    ) -> Traceparent {
        let context = Traceparent::evaluated(record);
        let mut attributes: Vec<(_, SpanValue)> = vec![
            ("streamalert.log_type", (*record.log_type).into()),
            ("streamalert.record.id", record.id().to_string().into()),
        ];
        if let Some(raised) = raised.filter(|raised| !raised.fired.is_empty()) {
            let fired = raised.fired.iter().map(ToString::to_string).collect();
            attributes.push(("streamalert.rules.fired", SpanValue::Texts(fired)));
        }
        tracer.record(Span {
            context,
            parent: Some(Traceparent::classified(&record.source, &record.position)),
            service: SERVICE,
            name: "rules".into(),
            kind: SpanKind::Internal,
            start: self.start,
            end: self.evaluated,
            attributes,
            links: batch.into_iter().collect(),
            error: raised.and_then(|raised| raised.killed.clone()),
        });
        context
    }

    fn batch(&self, tracer: &Tracer, context: Option<Traceparent>, mut links: Vec<Traceparent>) {
        let Some(context) = context else { return };
        links.truncate(LINKS_MAX);
        tracer.record(Span {
            context,
            parent: self.sent,
            service: SERVICE,
            name: "process records".into(),
            kind: SpanKind::Consumer,
            start: self.start,
            end: self.evaluated,
            attributes: vec![
                ("messaging.system", "streamalert".into()),
                ("messaging.operation.name", "process".into()),
                ("messaging.operation.type", "process".into()),
                ("messaging.destination.name", "records".into()),
                ("messaging.batch.message_count", self.records.into()),
            ],
            links,
            error: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use streamalert_types::{DataType, ManualClock, Position, Sequence, Source, SpanSink};

    use super::*;

    #[derive(Default)]
    struct Spans(Mutex<Vec<Span>>);

    impl SpanSink for Spans {
        fn record(&self, span: Span) {
            self.0.lock().unwrap().push(span);
        }
    }

    fn record(offset: u64) -> Record {
        Record {
            source: Arc::new(Source {
                service: "kinesis".into(),
                resource: "s".into(),
                cluster: None,
            }),
            position: Position {
                partition: "p".into(),
                sequence: Sequence::Offset(offset),
            },
            sub: 0,
            log_type: "a:b".into(),
            data_type: DataType::Json,
            json: "{}".into(),
        }
    }

    fn raised(index: usize, offset: u64) -> Raised {
        Raised {
            index,
            record: record(offset),
            fired: vec!["r".into()],
            killed: None,
        }
    }

    fn ended(ratio: f64, raised: &[Raised]) -> (Vec<u32>, Vec<Span>) {
        let spans = Arc::new(Spans::default());
        let tracer = Tracer::new(spans.clone(), ratio);
        let clock = ManualClock::default();
        let batch = RecordBatch {
            records: (0..4).map(record).collect(),
            traceparent: String::new(),
        };
        let mut trace = BatchTrace::begin(&tracer, &clock, &batch);
        trace.evaluated(&clock);
        // No rule is about the first record.
        let kept = trace.end(&tracer, raised, &[1, 2, 3]);
        let spans = std::mem::take(&mut *spans.0.lock().unwrap());
        (kept, spans)
    }

    #[test]
    fn a_quiet_batch_leaves_no_spans() {
        assert_eq!(ended(0.0, &[]), (vec![], vec![]));
    }

    #[test]
    fn what_raised_something_is_kept_by_its_place_in_the_batch_and_linked_with_it() {
        let (kept, spans) = ended(0.0, &[raised(1, 2)]);
        assert_eq!(kept, [2]);
        let [rules, batch] = &spans[..] else {
            panic!("{spans:?}")
        };
        assert_eq!(rules.context, Traceparent::evaluated(&record(2)));
        assert_eq!(rules.links, [batch.context]);
        assert_eq!(batch.links, [rules.context]);
        assert_ne!(batch.context.trace_id(), rules.context.trace_id());
    }

    #[test]
    fn ordinary_records_are_kept_by_ratio_and_none_twice() {
        let (mut kept, spans) = ended(1.0, &[raised(1, 2)]);
        kept.sort_unstable();
        assert_eq!(kept, [0, 1, 2, 3]);
        assert_eq!(spans.len(), 5);
    }
}
