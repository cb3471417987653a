use std::collections::BTreeSet;

use streamalert_schema::RawInput;
use streamalert_types::Source;
use streamalert_value::{Map, Value};

use super::made;
use crate::explain::Explainer;
use crate::failure::Failure;
use crate::project::Project;
use crate::{assembly, python};

/// Invented records of the built-in log types: `{"log_type": …, "service": …, "data": …}`, one a line.
const SAMPLES: [&str; 18] = [
    include_str!("../../../lib/schema/builtin/samples/aliyun.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/binaryalert.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/box.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/carbonblack.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/cloudtrail.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/cloudwatch.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/duo.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/fleet.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/ghe.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/gsuite.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/okta.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/onelogin.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/osquery.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/packetbeat.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/pan.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/slack.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/streamquery.jsonl"),
    include_str!("../../../lib/schema/builtin/samples/trendmicro.jsonl"),
];

/// Keys that tell what a record is about, the most telling first.
const TELLING: [&str; 8] = [
    "eventname",
    "event",
    "action",
    "operation",
    "type",
    "name",
    "status",
    "message",
];

/// Data of a log type that the classifier takes for it, as a test event holds it.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) source: Source,
    pub(crate) data: Value,
    /// What the rule looks at; `None` when nothing was found that may have another value.
    pub(crate) probe: Option<Probe>,
}

/// A value of the record, and the same data with another one.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// Keys from the record down.
    pub(crate) path: Vec<String>,
    pub(crate) value: String,
    pub(crate) other_data: Value,
}

/// Rules of the project that fire on an example, too: on the data, and on the other data.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bystanders {
    pub(crate) data: BTreeSet<String>,
    pub(crate) other_data: BTreeSet<String>,
}

impl Bystanders {
    /// Finds them.
    ///
    /// # Errors
    /// Rules cannot be run.
    pub(crate) async fn of(project: &Project, example: &Example) -> Result<Self, Failure> {
        let clock = assembly::clock();
        let (runtime, _) = python::start(project, Some(1), clock.clone()).await?;
        let mut explainer = Explainer::new(project, Some(runtime.clone()), clock)?;
        let mut found = Self::default();
        let other = example.probe.as_ref().map(|probe| &probe.other_data);
        for (data, fired) in [
            (Some(&example.data), &mut found.data),
            (other, &mut found.other_data),
        ] {
            let Some(input) = data.and_then(|data| RawInput::from_value(&raw(&example.source, data)).ok())
            else {
                continue;
            };
            let explanation = explainer.explain(&input, None, None).await?;
            let alerts = explanation.records.iter().flat_map(|record| &record.alerts);
            fired.extend(alerts.map(|explained| explained.alert.rule_name.to_string()));
        }
        runtime.shutdown().await;
        Ok(found)
    }
}

/// Makes examples, with the project's own classifier as the judge.
pub(crate) struct Examples<'a> {
    project: &'a Project,
    classifier: Explainer,
}

impl<'a> Examples<'a> {
    pub(crate) fn new(project: &'a Project) -> Result<Self, Failure> {
        let classifier = Explainer::new(project, None, assembly::clock())?;
        Ok(Self { project, classifier })
    }

    /// An example for a log type that exists, with `word` as the value to look at: no other test event has it, so a
    /// rule that wants it fires on nothing else.
    ///
    /// # Errors
    /// No source reads the log type, or nothing that could be made of its schema is taken for it.
    pub(crate) async fn of(&mut self, log: &str, word: &str) -> Result<Example, Failure> {
        let sources = self.sources(log)?;
        let mut candidates = samples(log);
        let definition = self
            .project
            .definitions
            .get(log)
            .map(|(definition, _)| definition);
        candidates.extend(definition.and_then(made::data));
        for data in candidates {
            for source in &sources {
                let records = self.records(log, source, &data).await?;
                if let Some(record) = records.first() {
                    let source = source.clone();
                    return self.probed(log, word, source, data, record).await;
                }
            }
        }
        Err(Failure::Other(format!(
            "cannot make an example that becomes {log}: something else in its source takes it, or its schema is not \
             plain; write rule and test event by hand"
        )))
    }

    /// The sources that read a log type, in the order of the cluster files.
    fn sources(&self, log: &str) -> Result<Vec<Source>, Failure> {
        let sources = self.project.conf.data_sources().map(|entry| entry.source.clone());
        let reads = |source: &Source| {
            let selection = self.classifier.selection(source);
            selection.is_some_and(|selection| selection.log_types().any(|name| **name == *log))
        };
        let sources: Vec<Source> = sources.filter(reads).collect();
        if sources.is_empty() {
            let family = log.split(':').next().unwrap_or(log);
            return Err(Failure::Other(format!(
                "no source reads {log}, so the rule would never see a record; add {family:?} to a source in \
                 data_sources of conf/clusters"
            )));
        }
        Ok(sources)
    }

    /// The records that data becomes, if all of them are of the log type.
    async fn records(&mut self, log: &str, source: &Source, data: &Value) -> Result<Vec<Map>, Failure> {
        let Ok(input) = RawInput::from_value(&raw(source, data)) else {
            return Ok(Vec::new());
        };
        let explanation = self.classifier.explain(&input, None, None).await?;
        let units = &explanation.classified.units;
        if !units
            .iter()
            .all(|unit| unit.log_type.as_deref() == Some(log) && unit.failures.is_empty())
        {
            return Ok(Vec::new());
        }
        let parsed = units.iter().flat_map(|unit| &unit.records);
        let maps = parsed.filter_map(|record| match Value::parse_json(&record.plain_json()) {
            Ok(Value::Map(map)) => Some(map),
            _ => None,
        });
        Ok(maps.collect())
    }

    /// The example with a text of the record replaced by `word`, where the data does not become something else by it.
    async fn probed(
        &mut self,
        log: &str,
        word: &str,
        source: Source,
        data: Value,
        record: &Map,
    ) -> Result<Example, Failure> {
        for (path, value) in texts(record) {
            let Some(with_word) = replaced(&data, &value, word) else {
                continue;
            };
            let records = self.records(log, &source, &with_word).await?;
            let has_word = |record: &Map| at(record, &path).and_then(Value::as_str) == Some(word);
            if !records.is_empty() && records.iter().all(has_word) {
                let probe = Probe {
                    path,
                    value: word.to_owned(),
                    other_data: data,
                };
                return Ok(Example {
                    source,
                    data: with_word,
                    probe: Some(probe),
                });
            }
        }
        Ok(Example {
            source,
            data,
            probe: None,
        })
    }
}

/// Our samples of a log type; those in which more is filled in, first.
fn samples(log: &str) -> Vec<Value> {
    let family = format!("\"log_type\":\"{log}\"");
    let lines = SAMPLES.iter().flat_map(|text| text.lines());
    let mut found: Vec<Value> = lines
        .filter(|line| line.replace(": ", ":").contains(&family))
        .filter_map(|line| Value::parse_json(line.as_bytes()).ok())
        .filter_map(|sample| sample.get("data").cloned())
        .collect();
    found.sort_by_key(|data| std::cmp::Reverse(data.to_json().len()));
    found
}

/// Data in the form of `explain --in`.
fn raw(source: &Source, data: &Value) -> Value {
    let text = match data {
        Value::Str(text) => text.clone(),
        other => other.to_json(),
    };
    let (key, body) = match &*source.service {
        "streamalert_app" => ("logs", Value::List(vec![Value::Str(text)])),
        _ => ("data", Value::Str(text)),
    };
    let entry = |key: &str, text: &str| (key.to_owned(), Value::Str(text.to_owned()));
    let entries = [
        entry("id", "new"),
        entry("service", &source.service),
        entry("resource", &source.resource),
        (key.to_owned(), body),
    ];
    Value::Map(entries.into_iter().collect())
}

/// Paths and values of the texts in a record that somebody might compare: words, at the top or one level down.
fn texts(record: &Map) -> Vec<(Vec<String>, String)> {
    let is_word = |text: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        (4..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(inner)
    };
    let mut found = Vec::new();
    for (key, value) in record {
        match value {
            Value::Str(text) if is_word(text) => found.push((vec![key.clone()], text.clone())),
            Value::Map(nested) => {
                for (inner, value) in nested {
                    if let Some(text) = value.as_str().filter(|text| is_word(text)) {
                        found.push((vec![key.clone(), inner.clone()], text.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    let rank = |path: &[String]| {
        let name = path.last().map(|key| key.to_lowercase()).unwrap_or_default();
        let exact = TELLING.iter().position(|telling| name == *telling);
        let part = TELLING.iter().position(|telling| name.contains(telling));
        (
            path.len(),
            exact.unwrap_or(TELLING.len()),
            part.unwrap_or(TELLING.len()),
        )
    };
    found.sort_by_key(|(path, _)| rank(path));
    found
}

fn at<'m>(record: &'m Map, path: &[String]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(record.get(first)?, |value, key| value.get(key))
}

/// The same data with another word wherever this text is.
fn replaced(data: &Value, text: &str, word: &str) -> Option<Value> {
    match data {
        Value::Str(line) => Some(Value::Str(line.replace(text, word))),
        json => Value::parse_json(json.to_json().replace(text, word).as_bytes()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_text_is_looked_at_first() {
        let record = r#"{"id": "abcdef", "n": 1, "inner": {"action": "read"}, "eventType": "kind", "eventName": "Named",
            "when": "2026-01-01"}"#;
        let Value::Map(record) = Value::parse_json(record.as_bytes()).unwrap() else {
            panic!("an object")
        };
        let found = texts(&record);
        let paths: Vec<String> = found.into_iter().map(|(path, _)| path.join(".")).collect();
        assert_eq!(paths, ["eventName", "eventType", "id", "inner.action"]);
    }

    #[test]
    fn every_built_in_log_type_has_a_sample() {
        for (file, text) in streamalert_schema::builtin_schemas() {
            let Value::Map(definitions) = Value::parse_json(text.as_bytes()).unwrap() else {
                panic!("{file} is an object")
            };
            for log in definitions.keys() {
                assert!(!samples(log).is_empty(), "{log}");
            }
        }
    }
}
