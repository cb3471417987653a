//! Takes one payload apart: the step between a source's bytes and the ledger.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_schema::{Body, Classified, Limits, Payload, Scratch, Selection};
use streamalert_stream::PayloadForm;
use streamalert_types::{
    Clock, DeadLetter, DeadLetterId, DeadLetterKind, NearestSchema, Position, Record, Source,
};
use streamalert_value::Value;

/// What a payload held.
#[derive(Debug, Default)]
pub struct Taken {
    /// Records for the rules.
    pub records: Vec<Record>,
    /// What no schema took.
    pub letters: Vec<DeadLetter>,
}

/// Makes one engine per thread.
pub type TakerFactory = Arc<dyn Fn() -> Taker + Send + Sync>;

/// The classification engine of one thread.
pub struct Taker {
    selections: Arc<HashMap<Source, Selection>>,
    letter_bytes_max: usize,
    clock: Arc<dyn Clock>,
    scratch: Scratch,
}

impl Taker {
    /// An engine for the sources named. `letter_bytes_max` bounds how much of a payload a dead letter keeps.
    #[must_use]
    pub fn new(
        selections: Arc<HashMap<Source, Selection>>,
        limits: Limits,
        letter_bytes_max: usize,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            selections,
            letter_bytes_max,
            clock,
            scratch: Scratch::with_limits(limits),
        }
    }

    /// Classifies one payload. Everything in it ends up as a record or as a dead letter.
    pub fn take(
        &mut self,
        source: &Arc<Source>,
        position: &Position,
        body: Bytes,
        form: &PayloadForm,
    ) -> Taken {
        match form {
            PayloadForm::Oversize { total_bytes } => {
                let kept = body.len();
                let reason =
                    format!("over the limit for one record: {total_bytes} bytes, the first {kept} are kept");
                return self.whole(source, position, body, &reason, true);
            }
            PayloadForm::Unreadable { reason } => {
                let reason = format!("cannot be read from here on: {reason}");
                return self.whole(source, position, body, &reason, true);
            }
            PayloadForm::Message | PayloadForm::Object | PayloadForm::ObjectLine => {}
        }
        let Some(selection) = self.selections.get(&**source) else {
            return self.whole(source, position, body, "the source is in no cluster file", false);
        };
        let classified = match unpacked(&source.service, form, &body) {
            Unpacked::Body(body) => selection.classify(
                &Payload {
                    source,
                    position,
                    body,
                },
                &mut self.scratch,
            ),
            Unpacked::Logs(logs) => {
                let body = Body::Logs(&logs);
                selection.classify(
                    &Payload {
                        source,
                        position,
                        body,
                    },
                    &mut self.scratch,
                )
            }
            Unpacked::Bad(reason) => return self.whole(source, position, body, reason, false),
        };
        self.sorted(source, position, classified)
    }

    fn sorted(&self, source: &Arc<Source>, position: &Position, mut classified: Classified) -> Taken {
        let mut letters = Vec::new();
        for unit in &mut classified.units {
            for failure in unit.failures.drain(..) {
                letters.push(self.letter(
                    source,
                    position,
                    failure.sub,
                    failure.original,
                    &failure.reason,
                    failure.nearest,
                ));
            }
        }
        Taken {
            records: classified.into_records(source, position),
            letters,
        }
    }

    fn whole(
        &self,
        source: &Arc<Source>,
        position: &Position,
        body: Bytes,
        reason: &str,
        cut: bool,
    ) -> Taken {
        let mut letter = self.letter(source, position, None, body, reason, None);
        letter.truncated |= cut;
        Taken {
            records: Vec::new(),
            letters: vec![letter],
        }
    }

    fn letter(
        &self,
        source: &Arc<Source>,
        position: &Position,
        sub: Option<u32>,
        original: Bytes,
        reason: &str,
        nearest: Option<NearestSchema>,
    ) -> DeadLetter {
        let truncated = original.len() > self.letter_bytes_max;
        // A copy, not a slice: a slice would keep the whole payload in memory for as long as the letter lives.
        let body = Bytes::copy_from_slice(&original[..original.len().min(self.letter_bytes_max)]);
        DeadLetter {
            id: DeadLetterId::new(source, position, sub, reason),
            created: self.clock.now(),
            kind: DeadLetterKind::Unclassified {
                source: source.clone(),
                position: position.clone(),
                sub,
                nearest,
            },
            reason: reason.to_owned(),
            body,
            truncated,
        }
    }
}

enum Unpacked<'a> {
    Body(Body<'a>),
    Logs(Vec<Value>),
    Bad(&'static str),
}

/// How the bytes of a payload are wrapped, by the service that they come from.
fn unpacked<'a>(service: &str, form: &PayloadForm, body: &'a [u8]) -> Unpacked<'a> {
    match (service, form) {
        (_, PayloadForm::Object) => Unpacked::Body(Body::Object(body)),
        (_, PayloadForm::ObjectLine) => Unpacked::Body(Body::Line(body)),
        ("sns", _) => match std::str::from_utf8(body) {
            Ok(text) => Unpacked::Body(Body::Text(text)),
            Err(_) => Unpacked::Bad("the message of an sns notification must be utf-8 text"),
        },
        ("streamalert_app", _) => match Value::parse_json(body) {
            // An app's batch, or one of its logs.
            Ok(Value::Map(mut batch)) if batch.contains_key("streamalert_app") => {
                match batch.shift_remove("logs") {
                    Some(Value::List(logs)) => Unpacked::Logs(logs),
                    _ => Unpacked::Bad("a batch of an app must have a list of logs"),
                }
            }
            Ok(log) => Unpacked::Logs(vec![log]),
            Err(_) => Unpacked::Bad("a batch of an app must be json"),
        },
        _ => Unpacked::Body(Body::Packed(body)),
    }
}
