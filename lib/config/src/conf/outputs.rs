use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_types::OutputName;
use streamalert_value::{Map, Value};

use super::keys;
use super::kind_of;
use super::reader::Reader;
use crate::Located;
use crate::problem::Place;
use crate::suggest::{did_you_mean, nearest};

/// Output services of StreamAlert and ours.
pub(crate) const SERVICES: [&str; 36] = [
    "aws-cloudwatch-log",
    "aws-firehose",
    "aws-lambda",
    "aws-lambda-v2",
    "aws-s3",
    "aws-ses",
    "aws-sns",
    "aws-sqs",
    "carbonblack",
    "demisto",
    "discord",
    "elasticsearch",
    "email",
    "file",
    "github",
    "google-chat",
    "jira",
    "jira-v2",
    "kafka",
    "komand",
    "mattermost",
    "opsgenie",
    "otlp-logs",
    "pagerduty",
    "pagerduty-incident",
    "pagerduty-v2",
    "phantom",
    "servicenow",
    "slack",
    "splunk",
    "stdout",
    "syslog",
    "teams",
    "telegram",
    "victorops",
    "webhook",
];

/// `outputs.json`.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// Services, in file order.
    pub services: IndexMap<String, OutputService>,
    /// The file; `None` when absent.
    pub document: Option<Arc<Located>>,
}

/// The descriptors of one service, in file order.
#[derive(Debug, Clone, Default)]
pub struct OutputService {
    /// Descriptor to what the file says of it; null where it only lists the descriptor.
    pub descriptors: Map,
}

impl Outputs {
    /// What the file says of `output`; `None` when it does not name it.
    #[must_use]
    pub fn get(&self, output: &OutputName) -> Option<&Value> {
        self.services
            .get(output.service())?
            .descriptors
            .get(output.descriptor())
    }

    /// Where the file names `output`.
    #[must_use]
    pub fn place_of(&self, output: &OutputName) -> Place {
        let Some(document) = &self.document else {
            return Place::default();
        };
        let item = match document.value() {
            Value::Map(root) => match root.get(output.service()) {
                Some(Value::List(names)) => names
                    .iter()
                    .position(|name| matches!(name, Value::Str(name) if name == output.descriptor()))
                    .map(|index| index.to_string()),
                _ => None,
            },
            _ => None,
        };
        document.place_of(&[
            output.service(),
            item.as_deref().unwrap_or_else(|| output.descriptor()),
        ])
    }

    /// Every output that the file names.
    pub fn names(&self) -> impl Iterator<Item = OutputName> {
        self.services.iter().flat_map(|(service, entry)| {
            entry
                .descriptors
                .keys()
                .filter_map(move |descriptor| format!("{service}:{descriptor}").parse().ok())
        })
    }
}

pub(super) fn read(reader: &mut Reader) -> Outputs {
    let mut outputs = Outputs::default();
    let Some(document) = reader.file("outputs.json", &keys::OUTPUTS) else {
        return outputs;
    };
    let Value::Map(root) = document.value() else {
        return outputs;
    };
    for (service, value) in root {
        if !SERVICES.contains(&service.as_str()) {
            let fix = match nearest(service, SERVICES) {
                Some(_) => did_you_mean(service, SERVICES),
                None => "remove it".to_owned(),
            };
            let message = "an output service that is not known; alerts for it become dead letters";
            reader.problems.push(document.warning(&[service], message, fix));
        }
        let descriptors = match value {
            Value::Map(descriptors) => descriptors.clone(),
            Value::List(_) => {
                let names = reader.texts(&document, &[service], value);
                names.into_iter().map(|name| (name, Value::Null)).collect()
            }
            other => {
                let message = format!(
                    "expected a list or an object of descriptors, found {}",
                    kind_of(other)
                );
                let fix = "write [\"descriptor\"] or { \"descriptor\": \"…\" }";
                reader.problems.push(document.error(&[service], message, fix));
                continue;
            }
        };
        outputs
            .services
            .insert(service.clone(), OutputService { descriptors });
    }
    outputs.document = Some(document);
    outputs
}
