//! Payloads into units.

use std::borrow::Cow;

use bytes::Bytes;
use streamalert_value::{Doc, Value, decode_json_bytes};

use crate::explain::UnitExplanation;
use crate::extract::Root;
use crate::output::{Classified, Failure, Unit};
use crate::scratch::Scratch;
use crate::selection::Selection;
use crate::unit::UnitRun;
use crate::unpack::{Packing, unpack_object, unpack_record};
use crate::{Body, Payload};

impl Selection {
    /// Takes a payload apart, finds the log type of each unit, converts and normalizes. Never fails: what cannot be
    /// used is a failure within the answer.
    #[must_use]
    pub fn classify(&self, payload: &Payload<'_>, scratch: &mut Scratch) -> Classified {
        let mut classified = Classified::default();
        self.each_unit(payload, scratch, &mut Sink::Classify(&mut classified));
        classified.failed_record_count = classified
            .units
            .iter()
            .map(|unit| unit.failures.len() as u64)
            .sum();
        classified
    }

    /// As [`classify`](Self::classify), but tells for each unit what every schema makes of it.
    #[must_use]
    pub fn explain(&self, payload: &Payload<'_>, scratch: &mut Scratch) -> Vec<UnitExplanation> {
        let mut explanations = Vec::new();
        self.each_unit(payload, scratch, &mut Sink::Explain(&mut explanations));
        explanations
    }

    fn each_unit(&self, payload: &Payload<'_>, scratch: &mut Scratch, sink: &mut Sink<'_>) {
        let mut root = std::mem::take(&mut scratch.root);
        let mut unpacked = std::mem::take(&mut scratch.unpacked);
        let mut units = Units {
            selection: self,
            payload,
            scratch,
            sink,
            next_sub: 0,
        };
        units.body(&mut root, &mut unpacked);
        scratch.root = root;
        scratch.unpacked = unpacked;
        scratch.trim();
    }
}

/// Where units go.
enum Sink<'a> {
    Classify(&'a mut Classified),
    Explain(&'a mut Vec<UnitExplanation>),
}

struct Units<'a, 's> {
    selection: &'a Selection,
    payload: &'a Payload<'a>,
    scratch: &'a mut Scratch,
    sink: &'a mut Sink<'s>,
    next_sub: u32,
}

impl Units<'_, '_> {
    fn body(&mut self, doc: &mut Doc, unpacked: &mut Vec<u8>) {
        let limit = self.scratch.limits.unpacked_bytes_max;
        match self.payload.body {
            Body::Packed(data) => match unpack_record(data, limit, unpacked) {
                Ok(Packing::None) => _ = self.bytes(doc, data, true),
                Ok(Packing::Unpacked) => _ = self.bytes(doc, unpacked, true),
                Err(reason) => self.refuse(data, reason),
            },
            Body::Object(data) => match unpack_object(data, limit, unpacked) {
                Ok(Packing::None) => self.object(doc, data),
                Ok(Packing::Unpacked) => self.object(doc, unpacked),
                Err(reason) => self.refuse(data, reason),
            },
            Body::Line(line) => _ = self.bytes(doc, line, true),
            Body::Text(text) => self.text(doc, text, true),
            Body::Logs(logs) => {
                for log in logs {
                    match log {
                        Value::Str(text) => self.text(doc, text, false),
                        other => self.text(doc, &other.to_json(), false),
                    }
                }
            }
        }
    }

    /// The payload cannot be opened.
    fn refuse(&mut self, data: &[u8], reason: String) {
        match self.sink {
            Sink::Classify(classified) => {
                classified.processed_size += data.len() as u64;
                let failure = Failure {
                    sub: None,
                    original: Bytes::copy_from_slice(data),
                    reason,
                    nearest: None,
                };
                classified.units.push(Unit {
                    failures: vec![failure],
                    ..Unit::default()
                });
            }
            Sink::Explain(explanations) => explanations.push(UnitExplanation::unreadable(reason)),
        }
    }

    /// An object is one JSON value, or a unit a line. Where the first line is JSON, blank lines are none.
    fn object(&mut self, doc: &mut Doc, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if let Ok(text) = decode_json_bytes(data)
            && doc.parse(&text).is_ok()
        {
            return self.unit(Root::Json(doc.tree(&text)), data, None, true);
        }
        let mut of_json = None;
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if of_json == Some(true) && line.trim_ascii().is_empty() {
                continue;
            }
            let is_json = self.bytes(doc, line, false);
            of_json.get_or_insert(is_json);
        }
    }

    /// One unit of bytes; whether it is JSON.
    fn bytes(&mut self, doc: &mut Doc, data: &[u8], is_payload: bool) -> bool {
        let decoded = decode_json_bytes(data);
        let not_json = match &decoded {
            Ok(text) => doc.parse(text).err(),
            Err(error) => Some(*error),
        };
        let root = match (&not_json, &decoded) {
            (None, Ok(text)) => Root::Json(doc.tree(text)),
            (_, Ok(Cow::Borrowed(text))) if text.len() == data.len() => Root::Text(text),
            _ => std::str::from_utf8(data).map_or(Root::Bytes(data), Root::Text),
        };
        self.unit(root, data, not_json.map(|error| error.to_string()), is_payload);
        not_json.is_none()
    }

    fn text(&mut self, doc: &mut Doc, text: &str, is_payload: bool) {
        let not_json = doc.parse(text).err();
        let root = if not_json.is_none() {
            Root::Json(doc.tree(text))
        } else {
            Root::Text(text)
        };
        self.unit(
            root,
            text.as_bytes(),
            not_json.map(|error| error.to_string()),
            is_payload,
        );
    }

    fn unit(&mut self, root: Root<'_>, original: &[u8], not_json: Option<String>, is_payload: bool) {
        let mut run = UnitRun {
            schemas: &self.selection.schemas,
            source: self.payload.source,
            position: self.payload.position,
            root,
            original,
            not_json,
            first_sub: self.next_sub,
            is_payload,
            kept_bytes_max: self.scratch.limits.kept_bytes_max,
            work: &mut self.scratch.work,
        };
        match self.sink {
            Sink::Classify(classified) => {
                let outcome = run.classify();
                self.next_sub += outcome.subs.max(1);
                classified.processed_size += original.len() as u64;
                classified.units.push(outcome.unit);
            }
            Sink::Explain(explanations) => explanations.push(run.explain()),
        }
    }
}
