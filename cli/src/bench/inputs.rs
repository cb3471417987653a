use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use streamalert_schema::{Body, RawInput};
use streamalert_value::Value;

use super::cloudtrail;
use crate::explain::{object, text};
use crate::failure::Failure;

/// Objects and events in each: 40 × 100 events of 1.45 KB, more than a core's caches hold.
const OBJECTS: u64 = 40;
const OBJECT_EVENTS: u64 = 100;

/// Payloads to measure with, in memory.
pub(crate) struct Inputs {
    /// Where they come from, for people.
    pub(super) origin: String,
    pub(super) payloads: Vec<RawInput>,
}

impl Inputs {
    /// Payloads from a file of JSON lines, or generated ones.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) => Self::read(path),
            None => Self::generate(),
        }
    }

    /// S3 objects of CloudTrail events.
    pub(super) fn generate() -> Result<Self, Failure> {
        let payloads = (0..OBJECTS).map(|number| {
            let first = number * OBJECT_EVENTS;
            let input = object([
                ("id", text(&format!("object-{number}"))),
                ("service", text("s3")),
                ("resource", text("bench")),
                ("data", text(&cloudtrail::object(first..first + OBJECT_EVENTS))),
            ]);
            RawInput::from_value(&input)
        });
        let payloads = payloads
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::Other(error.to_string()))?;
        Ok(Self {
            origin: "generated CloudTrail".to_owned(),
            payloads,
        })
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("cannot read {}", path.display());
        let file = std::fs::File::open(path).map_err(|error| Failure::while_doing(&doing(), error))?;
        let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut payloads = Vec::new();
        for (number, line) in BufReader::new(reader).lines().enumerate() {
            let line = line.map_err(|error| Failure::while_doing(&doing(), error))?;
            if line.trim().is_empty() {
                continue;
            }
            let at = |error: &dyn std::fmt::Display| {
                Failure::Other(format!("{}:{}: {error}", path.display(), number + 1))
            };
            let value = Value::parse_json(line.as_bytes()).map_err(|error| at(&error))?;
            payloads.push(RawInput::from_value(&value).map_err(|error| at(&error))?);
        }
        if payloads.is_empty() {
            return Err(Failure::Other(format!("{} holds no payloads", path.display())));
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            origin: name.to_string_lossy().into_owned(),
            payloads,
        })
    }

    /// The first payloads that hold so many CloudTrail records or other lines between them.
    pub(crate) fn at_most(mut self, events: Option<u64>) -> Self {
        let Some(events) = events else { return self };
        let mut sum = 0;
        let kept = self.payloads.iter().take_while(|payload| {
            let enough = sum >= events;
            sum += lines(payload);
            !enough
        });
        let kept = kept.count();
        self.payloads.truncate(kept);
        self
    }

    /// The payloads by form, since forms differ in cost: service, and whether compressed. One entry when all are
    /// of one form.
    pub(super) fn by_form(&self) -> Vec<(String, Vec<RawInput>)> {
        let mut forms: Vec<(String, Vec<RawInput>)> = Vec::new();
        for payload in &self.payloads {
            let form = form(payload);
            match forms.iter_mut().find(|(name, _)| *name == form) {
                Some((_, members)) => members.push(payload.clone()),
                None => forms.push((form, vec![payload.clone()])),
            }
        }
        forms
    }
}

/// Events of a payload, as far as they can be told without a schema.
fn lines(payload: &RawInput) -> u64 {
    match payload.body() {
        Body::Logs(logs) => logs.len() as u64,
        Body::Object(bytes) | Body::Packed(bytes) => match Value::parse_json(bytes) {
            Ok(value) => value
                .get("Records")
                .and_then(Value::as_list)
                .map_or(1, |records| records.len() as u64),
            Err(_) => 1,
        },
        Body::Text(_) | Body::Line(_) => 1,
    }
}

fn form(payload: &RawInput) -> String {
    let packed = match payload.body() {
        Body::Packed([0x1f, 0x8b, ..]) | Body::Object([0x1f, 0x8b, ..]) => ", gzip",
        _ => "",
    };
    format!("{}{packed}", payload.source.service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn forms_are_told_apart_by_service_and_compression() {
        let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
        let lines = [
            r#"{"id":"a","service":"kinesis","resource":"r","data":"{}"}"#,
            "",
            r#"{"id":"b","service":"kinesis","resource":"r","data":"{}","gzip":true}"#,
            r#"{"id":"c","service":"s3","resource":"r","data":"{}"}"#,
            r#"{"id":"d","service":"kinesis","resource":"r","data":"[]"}"#,
        ];
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        let inputs = Inputs::load(Some(file.path())).unwrap();
        let forms: Vec<(String, usize)> = inputs
            .by_form()
            .into_iter()
            .map(|(name, members)| (name, members.len()))
            .collect();
        assert_eq!(
            forms,
            [
                ("kinesis".to_owned(), 2),
                ("kinesis, gzip".to_owned(), 1),
                ("s3".to_owned(), 1)
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"service\":\"s3\",\"resource\":\"r\",\"data\":\"\"}\n{")
            .unwrap();
        let Err(Failure::Other(message)) = Inputs::load(Some(file.path())) else {
            panic!("half an object is no input")
        };
        assert!(message.contains(":2: "), "{message}");
    }
}
