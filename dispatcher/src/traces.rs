//! The traces of deliveries: all attempts of alerts that have one are kept.

use streamalert_types::{
    Alert, Clock, OutputName, Span, SpanKind, SpanValue, Timestamp, Traceparent, Tracer,
};

use crate::Publication;
use crate::machine::Burial;
use crate::outputs::{Receipt, SendError};

const SERVICE: &str = "dispatcher";

/// An attempt under way.
pub(crate) struct Attempt(Option<Traced>);

struct Traced {
    tracer: Tracer,
    /// Where the alert became durable.
    parent: Traceparent,
    context: Traceparent,
    start: Timestamp,
}

impl Attempt {
    pub(crate) fn begin(tracer: &Tracer, clock: &dyn Clock, alert: &Alert, output: &OutputName) -> Self {
        if !tracer.is_on() {
            return Self(None);
        }
        let traced = Traceparent::accepted(alert).map(|parent| {
            let start = clock.now();
            // Attempts of one delivery follow each other, so their beginnings differ.
            let which = u128::from(start.as_micros().unsigned_abs());
            Traced {
                tracer: tracer.clone(),
                parent,
                context: parent.child(output.as_str(), which),
                start,
            }
        });
        Self(traced)
    }

    /// The publication is made. Answers the context to hand on.
    pub(crate) fn published(&self, publication: &Publication, clock: &dyn Clock) -> Option<Traceparent> {
        let traced = self.0.as_ref()?;
        traced.tracer.record(Span {
            context: traced.context.child("publish", 0),
            parent: Some(traced.context),
            service: SERVICE,
            name: "publish".into(),
            kind: SpanKind::Internal,
            start: traced.start,
            end: clock.now(),
            attributes: about(&publication.alert),
            links: Vec::new(),
            // What the publisher said may quote the record.
            error: publication
                .fallback
                .as_ref()
                .map(|_| "publisher failed, the default is sent".to_owned()),
        });
        Some(traced.context)
    }

    /// It has ended.
    pub(crate) fn ended(
        self,
        publication: &Publication,
        result: &Result<Receipt, SendError>,
        clock: &dyn Clock,
    ) {
        let Some(traced) = self.0 else { return };
        let output = publication.output.as_str();
        let mut attributes = about(&publication.alert);
        attributes.extend([
            ("messaging.system", SpanValue::from(publication.output.service())),
            ("messaging.operation.name", "deliver".into()),
            ("messaging.operation.type", "send".into()),
            ("messaging.destination.name", output.into()),
        ]);
        if let Err(error) = result {
            let kind = if error.is_retryable() {
                "retryable"
            } else {
                "permanent"
            };
            attributes.push(("error.type", kind.into()));
        }
        traced.tracer.record(Span {
            context: traced.context,
            parent: Some(traced.parent),
            service: SERVICE,
            name: format!("deliver {output}").into(),
            kind: SpanKind::Producer,
            start: traced.start,
            end: clock.now(),
            attributes,
            links: Vec::new(),
            error: result.as_ref().err().map(|error| error.message.clone()),
        });
    }
}

/// The spans of deliveries that are given up.
pub(crate) fn burials(tracer: &Tracer, burials: &[Burial], now: Timestamp) -> Vec<Span> {
    if !tracer.is_on() {
        return Vec::new();
    }
    let spans = burials.iter().filter_map(|burial| {
        let parent = Traceparent::accepted(&burial.alert)?;
        let output = burial.key.1.as_str();
        let mut attributes = about(&burial.alert);
        attributes.extend([
            ("messaging.destination.name", output.into()),
            (
                "streamalert.delivery.attempts",
                SpanValue::Number(burial.attempts.into()),
            ),
        ]);
        Some(Span {
            context: parent.child("dead letter", parent.child(output, 0).span_id().into()),
            parent: Some(parent),
            service: SERVICE,
            name: "dead letter".into(),
            kind: SpanKind::Internal,
            start: now,
            end: now,
            attributes,
            links: Vec::new(),
            error: Some(burial.reason.clone()),
        })
    });
    spans.collect()
}

fn about(alert: &Alert) -> Vec<(&'static str, SpanValue)> {
    vec![
        ("streamalert.alert.id", alert.id.to_string().into()),
        ("streamalert.rule", (*alert.rule_name).into()),
    ]
}
