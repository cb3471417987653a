mod check;
mod fields;
mod fleet;
mod layers;
mod outputs;
mod reference;
mod secrets;
mod section;
mod sections;
mod shape;
mod sources;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use streamalert_types::OutputName;

pub use fields::FieldValue;
pub use fleet::{AwsSettings, Billing, NodeSettings, StoreSettings, StoreType};
pub use outputs::{Header, OutputTarget, Secret, SecretSource};
pub use secrets::{SecretPlace, SecretsSettings, SecretsType};
pub use sections::{
    ClassifierSettings, ConfSettings, DataSettings, DispatcherSettings, HealthSettings, ListenSettings,
    LogFormat, LookupTableSettings, MergerSettings, OutputLimits, PeersSettings, PythonSettings,
    RedactSettings, RulesSettings, TelemetrySettings, ThreatIntelSettings, TlsSettings,
};
pub use sources::{KinesisInput, SourceAccess, SourceInput, SourceSettings, StreamStart};

pub(crate) use check::SOURCE_SERVICES;

use crate::problem::{Place, Problem, dotted, sort};
use layers::Layers;
use outputs::OutputTable;
use sources::SourceTable;

/// Our own settings: defaults, then `streamalert.toml`, then environment, then flags.
/// Relative paths are relative to the working directory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where state lives.
    pub data: DataSettings,
    /// Where StreamAlert's configuration and the Python files are.
    pub conf: ConfSettings,
    /// Reading and classifying.
    pub classifier: ClassifierSettings,
    /// Limits of rules.
    pub rules: RulesSettings,
    /// What the program raises alerts about.
    pub health: HealthSettings,
    /// Python workers.
    pub python: PythonSettings,
    /// Making alerts durable, grouping.
    pub merger: MergerSettings,
    /// Delivering.
    pub dispatcher: DispatcherSettings,
    /// What outputs must not show.
    pub redact: RedactSettings,
    /// Where alerts go, `aws-firehose:alerts` always among them.
    pub outputs: BTreeMap<OutputName, OutputTarget>,
    /// Where logs come from, in the order of the file.
    pub sources: Vec<SourceSettings>,
    /// Local files that serve lookup tables, by table name.
    pub lookup_tables: BTreeMap<String, LookupTableSettings>,
    /// Local indicators of compromise.
    pub threat_intel: ThreatIntelSettings,
    /// Amazon Web Services.
    pub aws: AwsSettings,
    /// Where state is kept: in a file or in DynamoDB.
    pub store: StoreSettings,
    /// Where secrets are kept.
    pub secrets: SecretsSettings,
    /// Who this process is among others.
    pub node: NodeSettings,
    /// Addresses to listen on.
    pub listen: ListenSettings,
    /// Addresses of the other services.
    pub peers: PeersSettings,
    /// Mutual TLS between services.
    pub tls: TlsSettings,
    /// Logs of the program itself.
    pub telemetry: TelemetrySettings,
    places: BTreeMap<String, Place>,
}

/// One of the services that others connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Evaluates rules.
    RulesNode,
    /// Makes alerts durable and groups them.
    Merger,
    /// Delivers alerts.
    Dispatcher,
}

/// The file as serde sees it, before outputs and sources are checked.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tables {
    data: DataSettings,
    conf: ConfSettings,
    classifier: ClassifierSettings,
    rules: RulesSettings,
    health: HealthSettings,
    python: PythonSettings,
    merger: MergerSettings,
    dispatcher: DispatcherSettings,
    redact: RedactSettings,
    outputs: BTreeMap<String, OutputTable>,
    sources: Vec<SourceTable>,
    lookup_tables: BTreeMap<String, LookupTableSettings>,
    threat_intel: ThreatIntelSettings,
    aws: AwsSettings,
    store: StoreSettings,
    secrets: SecretsSettings,
    node: NodeSettings,
    listen: ListenSettings,
    peers: PeersSettings,
    tls: TlsSettings,
    telemetry: TelemetrySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self::load(None, std::iter::empty(), &[]).expect("the defaults agree with each other")
    }
}

impl Settings {
    /// Reads `file` if given, then applies `env` (`STREAMALERT_<SECTION>__<KEY>`), then `overrides`
    /// (`section.key=value`). Variables that do not begin with `STREAMALERT_` serve `*_env` keys only. Take the
    /// environment from `vars_os`: `std::env::vars` panics where a variable is not UTF-8.
    ///
    /// # Errors
    /// Every problem found; there is no setting that is ignored.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: &[String],
    ) -> Result<Self, Vec<Problem>> {
        let env: BTreeMap<String, String> = env.collect();
        let mut layers = Layers::default();
        if let Some(file) = file {
            let name = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => layers.add_file(&name, &text),
                Err(error) => {
                    let message = format!("cannot be read: {error}");
                    let fix = "check the path, or leave it out to run with defaults";
                    layers.problems.push(Place::of_file(name).error("", message, fix));
                }
            }
        }
        layers.add_environment(&env);
        layers.add_flags(overrides);
        let Layers {
            merged,
            places,
            mut problems,
        } = layers;
        let tables = match Tables::deserialize(toml::Value::Table(merged)) {
            Ok(tables) => tables,
            Err(error) => {
                problems.push(Place::of_file("settings").error("", error.message().to_owned(), ""));
                return Err(problems);
            }
        };
        let settings = check::settings(tables, places, &env, &mut problems);
        sort(&mut problems);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// Where the value of a key came from; an empty place for a default.
    #[must_use]
    pub fn place_of(&self, path: &[&str]) -> Place {
        self.places
            .get(&dotted(path.iter().copied()))
            .cloned()
            .unwrap_or_default()
    }

    /// These settings with what `newer` says of outputs, how they are paced, and where their secrets are.
    #[must_use]
    pub fn with_outputs_of(&self, newer: &Self) -> Self {
        let of_outputs = |key: &str| {
            let section = key.split('.').next().unwrap_or_default();
            ["outputs", "dispatcher", "redact", "secrets"].contains(&section)
        };
        let mut settings = self.clone();
        settings.outputs = newer.outputs.clone();
        settings.dispatcher = newer.dispatcher.clone();
        settings.redact = newer.redact.clone();
        settings.secrets = newer.secrets.clone();
        settings.places.retain(|key, _| !of_outputs(key));
        let places = newer.places.iter().filter(|(key, _)| of_outputs(key));
        settings
            .places
            .extend(places.map(|(key, place)| (key.clone(), place.clone())));
        settings
    }

    /// Where another service is, without a scheme: `host:port`, several with commas, `dns:host:port`, or `leases`. As
    /// set; otherwise by leases, where nodes that own parts of the work share a store, or where `listen` says.
    #[must_use]
    pub fn peers_of(&self, service: Service) -> String {
        let (set, listen, owns) = match service {
            Service::RulesNode => (self.peers.rules_node.as_str(), self.listen.rules_node, false),
            Service::Merger => (self.peers.merger.as_str(), self.listen.merger, true),
            Service::Dispatcher => (self.peers.dispatcher.as_str(), self.listen.dispatcher, true),
        };
        if !set.is_empty() {
            // Whether TLS is spoken is for [tls] to say; people write a scheme because they expect one.
            let address = set.split_once("://").map_or(set, |(_, address)| address);
            return address.trim_end_matches('/').to_owned();
        }
        if owns && self.store.r#type == StoreType::Dynamodb {
            "leases".to_owned()
        } else {
            listen.to_string()
        }
    }

    /// Limits of `output`: its own where it has them, those of all otherwise. Every field but the rate is set.
    #[must_use]
    pub fn limits_of(&self, output: &OutputName) -> OutputLimits {
        let own = self
            .dispatcher
            .output
            .get(output.as_str())
            .cloned()
            .unwrap_or_default();
        OutputLimits {
            rate_per_sec: own.rate_per_sec,
            concurrency: own.concurrency.or(Some(self.dispatcher.concurrency_per_output)),
            timeout_ms: own.timeout_ms.or(Some(self.dispatcher.timeout_ms)),
            dead_letter_after_secs: own
                .dead_letter_after_secs
                .or(Some(self.dispatcher.dead_letter_after_secs)),
            canary_secs: own.canary_secs.or(Some(self.dispatcher.canary_secs)),
            publishers: own.publishers,
        }
    }

    /// The reference of all settings, Markdown.
    #[must_use]
    pub fn reference() -> String {
        reference::markdown()
    }
}
