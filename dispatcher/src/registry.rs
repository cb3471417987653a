use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use streamalert_types::{Clock, OutputName};
use tokio::time::Instant;

use crate::outputs::aws_firehose::FirehoseConfig;
use crate::outputs::file::FileConfig;
use crate::outputs::slack::SlackConfig;
use crate::outputs::webhook::WebhookConfig;
use crate::outputs::{Output, SendError, http};
use crate::{
    DeliveryOptions, DeliveryOverrides, EnvLookup, FileOutput, FirehoseLocalOutput, Publication, Secret,
    SecretSetting, SlackOutput, WebhookOutput,
};

/// Services that can be delivered to.
pub const SERVICES: [&str; 4] = ["aws-firehose", "file", "slack", "webhook"];

/// Services that StreamAlert has and that are known by name only so far.
const KNOWN_SERVICES: [&str; 19] = [
    "aws-cloudwatch-log",
    "aws-lambda",
    "aws-lambda-v2",
    "aws-s3",
    "aws-ses",
    "aws-sns",
    "aws-sqs",
    "carbonblack",
    "demisto",
    "github",
    "jira",
    "jira-v2",
    "komand",
    "pagerduty",
    "pagerduty-incident",
    "pagerduty-v2",
    "phantom",
    "teams",
    "victorops",
];

/// One output as the configuration names it.
#[derive(Debug, Clone)]
pub struct OutputSpec {
    /// Its name.
    pub name: OutputName,
    /// Its settings, a table: those of its service, and `delivery` with [`DeliveryOverrides`]. Null or empty
    /// when only its name is known (`conf/outputs.json` holds names; StreamAlert kept the rest elsewhere).
    pub settings: serde_json::Value,
    /// Where it was read, for complaints: `streamalert.toml [outputs."slack:security"]`.
    pub origin: String,
}

/// What outputs are made from besides their settings.
#[derive(Clone)]
pub struct LoadContext {
    /// Relative paths in settings start here.
    pub base_dir: PathBuf,
    /// Where `aws-firehose` keeps the history in local mode.
    pub history_dir: PathBuf,
    /// Looks up an environment variable.
    pub env: Arc<EnvLookup>,
    /// For signatures and `Retry-After` dates.
    pub clock: Arc<dyn Clock>,
}

impl LoadContext {
    pub(crate) fn secret(&self, key: &str, setting: &SecretSetting) -> Result<Secret, String> {
        setting
            .resolve(&*self.env, &self.base_dir)
            .map_err(|error| format!("{key}: {error}"))
    }
}

impl fmt::Debug for LoadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadContext")
            .field("base_dir", &self.base_dir)
            .finish_non_exhaustive()
    }
}

/// What is wrong with one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputProblem {
    /// Which.
    pub name: OutputName,
    /// Where it was read.
    pub origin: String,
    /// What, and what to do, in one line without secrets.
    pub message: String,
}

impl fmt::Display for OutputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: output {}: {}", self.origin, self.name, self.message)
    }
}

/// Outputs that cannot be made; all of them, not the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct RegistryError {
    /// One entry per output.
    pub problems: Vec<OutputProblem>,
}

impl RegistryError {
    fn lines(&self) -> String {
        self.problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// An output with the way to deliver to it.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) output: Arc<dyn Output>,
    pub(crate) options: DeliveryOptions,
}

/// All outputs that alerts may be delivered to.
#[derive(Clone, Default)]
pub struct OutputRegistry {
    outputs: BTreeMap<OutputName, Registered>,
    warnings: Vec<OutputProblem>,
}

impl fmt::Debug for OutputRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.outputs.keys()).finish()
    }
}

impl OutputRegistry {
    /// Makes every output that `specs` names, and the history output, which is always there. Touches neither
    /// network nor the outputs' files. A later spec of the same name replaces an earlier one unless it has no
    /// settings, so `conf/outputs.json` may come before or after the settings.
    ///
    /// # Errors
    /// Every spec with an unknown service or wrong settings.
    pub fn load(specs: &[OutputSpec], context: &LoadContext) -> Result<Self, RegistryError> {
        let mut by_name: BTreeMap<&OutputName, &OutputSpec> = BTreeMap::new();
        for spec in specs {
            if !is_empty(&spec.settings) || !by_name.contains_key(&spec.name) {
                by_name.insert(&spec.name, spec);
            }
        }
        let history = OutputSpec {
            name: OutputName::history(),
            settings: serde_json::Value::Null,
            origin: "built in".to_owned(),
        };
        by_name.entry(&history.name).or_insert(&history);

        let mut registry = Self::default();
        let mut problems = Vec::new();
        let mut maker = Maker {
            context,
            client: None,
        };
        for spec in by_name.into_values() {
            let problem = |message| OutputProblem {
                name: spec.name.clone(),
                origin: spec.origin.clone(),
                message,
            };
            match maker.make(spec) {
                Ok(Made::Output(registered)) => {
                    registry.outputs.insert(spec.name.clone(), registered);
                }
                Ok(Made::Unavailable(reason)) => {
                    let message = format!("{reason}; alerts to it go to the dead-letter store");
                    registry.warnings.push(problem(message));
                    registry.insert(
                        spec.name.clone(),
                        Arc::new(Unavailable { reason }),
                        unavailable_options(),
                    );
                }
                Err(message) => problems.push(problem(message)),
            }
        }
        if problems.is_empty() {
            Ok(registry)
        } else {
            Err(RegistryError { problems })
        }
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, name: OutputName, output: Arc<dyn Output>, options: DeliveryOptions) {
        self.outputs.insert(name, Registered { output, options });
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &OutputName> {
        self.outputs.keys()
    }

    /// How deliveries to one are paced: its service's defaults with what its settings say about `delivery`. The
    /// place to start from for [`crate::DispatcherOptions::outputs`], which replaces all of it.
    #[must_use]
    pub fn delivery_options(&self, name: &OutputName) -> Option<&DeliveryOptions> {
        self.outputs.get(name).map(|registered| &registered.options)
    }

    /// Outputs that are known but cannot be delivered to: alerts to them become dead letters.
    #[must_use]
    pub fn warnings(&self) -> &[OutputProblem] {
        &self.warnings
    }

    pub(crate) fn into_outputs(self) -> BTreeMap<OutputName, Registered> {
        self.outputs
    }
}

/// How to deliver to something that never takes anything: straight to the dead letters.
pub(crate) fn unavailable_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 64,
        ..DeliveryOptions::default()
    }
}

/// An output that cannot be delivered to; every alert becomes a dead letter with the reason.
pub(crate) struct Unavailable {
    pub(crate) reason: String,
}

#[async_trait]
impl Output for Unavailable {
    async fn send(&self, _: &Publication, _: &str, _: Instant) -> Result<(), SendError> {
        Err(SendError::permanent(self.reason.clone()))
    }
}

enum Made {
    Output(Registered),
    Unavailable(String),
}

struct Maker<'a> {
    context: &'a LoadContext,
    /// Shared by all http outputs, made for the first.
    client: Option<reqwest::Client>,
}

impl Maker<'_> {
    fn make(&mut self, spec: &OutputSpec) -> Result<Made, String> {
        let service = spec.name.service();
        if KNOWN_SERVICES.contains(&service) {
            return Ok(Made::Unavailable(format!("{service} is not yet available")));
        }
        if !SERVICES.contains(&service) {
            return Err(format!(
                "unknown service {service:?}, expected one of {}",
                SERVICES.join(", ")
            ));
        }
        check_descriptor(spec.name.descriptor())?;
        let (settings, overrides) = split(&spec.settings)?;
        let context = self.context;
        let (output, options): (Arc<dyn Output>, _) = match service {
            "aws-firehose" => {
                let config: FirehoseConfig = read(settings)?;
                let (base, history) = (&context.base_dir, &context.history_dir);
                let output = FirehoseLocalOutput::configured(&config, base, history, spec.name.descriptor());
                (Arc::new(output), FirehoseLocalOutput::delivery_options())
            }
            _ if settings.is_empty() => {
                return Ok(Made::Unavailable(format!(
                    "no settings for {} (url, path …) are given",
                    spec.name
                )));
            }
            "file" => {
                let config: FileConfig = read(settings)?;
                (
                    Arc::new(FileOutput::configured(&config, &context.base_dir)),
                    FileOutput::delivery_options(),
                )
            }
            "slack" => {
                let config: SlackConfig = read(settings)?;
                let output = SlackOutput::configured(&config, context, self.client()?)?;
                (Arc::new(output), SlackOutput::delivery_options())
            }
            _ => {
                let config: WebhookConfig = read(settings)?;
                let output = WebhookOutput::configured(&config, context, self.client()?)?;
                (Arc::new(output), WebhookOutput::delivery_options())
            }
        };
        let options = overrides
            .apply(options)
            .map_err(|error| format!("delivery: {error}"))?;
        Ok(Made::Output(Registered { output, options }))
    }

    fn client(&mut self) -> Result<reqwest::Client, String> {
        match &self.client {
            Some(client) => Ok(client.clone()),
            None => Ok(self.client.insert(http::client(None)?).clone()),
        }
    }
}

type Table = serde_json::Map<String, serde_json::Value>;

fn is_empty(settings: &serde_json::Value) -> bool {
    match settings {
        serde_json::Value::Null => true,
        serde_json::Value::Object(table) => table.is_empty(),
        _ => false,
    }
}

/// The service's own settings and those about delivery.
fn split(settings: &serde_json::Value) -> Result<(Table, DeliveryOverrides), String> {
    let mut table = match settings {
        serde_json::Value::Null => Table::new(),
        serde_json::Value::Object(table) => table.clone(),
        _ => return Err("settings must be a table".to_owned()),
    };
    let overrides = match table.remove("delivery") {
        None => DeliveryOverrides::default(),
        Some(value) => serde_json::from_value(value).map_err(|error| format!("delivery: {error}"))?,
    };
    Ok((table, overrides))
}

fn read<C: DeserializeOwned>(settings: Table) -> Result<C, String> {
    // serde quotes wrong values, which may be secrets: keep the message only where it cannot
    serde_json::from_value(serde_json::Value::Object(settings)).map_err(|error| {
        let text = error.to_string();
        let safe = ["missing field", "unknown field", "duplicate field"];
        if safe.iter().any(|start| text.starts_with(start)) {
            text
        } else {
            "a setting has the wrong type".to_owned()
        }
    })
}

/// Descriptors become parts of paths and headers.
fn check_descriptor(descriptor: &str) -> Result<(), String> {
    let fits = !descriptor.is_empty()
        && !descriptor.starts_with('.')
        && descriptor
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.@+# ".contains(c));
    if fits {
        Ok(())
    } else {
        Err(format!(
            "descriptor {descriptor:?} may have letters, digits and -_.@+# only"
        ))
    }
}

#[cfg(test)]
mod tests;
