use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_types::{Clock, OutputName};
use tokio::time::Instant;

use crate::outputs::aws::AwsConfigs;
use crate::outputs::{
    Clients, Output, Receipt, SendError, Settings, Table, service, services, unknown_field,
};
use crate::{DeliveryOptions, DeliveryOverrides, EnvLookup, Fetched, Publication, Secret, SecretSetting};

/// One output as the configuration names it.
#[derive(Clone)]
pub struct OutputSpec {
    /// Its name.
    pub name: OutputName,
    /// Its settings: a table with the fields of its service, `delivery` with [`DeliveryOverrides`], and
    /// `allow_internal`; or a text, for services that `conf/outputs.json` says one thing about (the bucket of `aws-s3`);
    /// or null, when only its name is known.
    pub settings: serde_json::Value,
    /// Where it was read, for complaints: `streamalert.toml [outputs."slack:security"]`.
    pub origin: String,
}

impl fmt::Debug for OutputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputSpec")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
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
    /// Secrets that settings name and that are not on this machine, as they were asked for.
    pub fetched: Fetched,
    /// For signatures and `Retry-After` dates.
    pub clock: Arc<dyn Clock>,
    /// What is stored about outputs elsewhere, such as in StreamAlert's parameters: fields of the service by name.
    /// Settings win.
    pub credentials: Arc<BTreeMap<OutputName, serde_json::Map<String, serde_json::Value>>>,
    /// Makes configurations of SDK clients: [`crate::aws_configs`].
    pub aws: Arc<AwsConfigs>,
    /// The account of AWS that names without one mean: StreamAlert's own.
    pub aws_account: Option<String>,
}

impl LoadContext {
    pub(crate) fn secret(&self, key: &str, setting: &SecretSetting) -> Result<Secret, String> {
        self.fetched
            .secret(setting, &*self.env, &self.base_dir)
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
    /// The same for the same settings, secrets and files that they name; to see whether they have changed.
    pub(crate) fingerprint: u64,
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
    /// network nor the outputs' files. Of several specs of one name each adds to those before it, so
    /// `conf/outputs.json` may come before or after the settings.
    ///
    /// # Errors
    /// Every spec with an unknown service or wrong settings.
    pub fn load(specs: &[OutputSpec], context: &LoadContext) -> Result<Self, RegistryError> {
        let (registry, problems) = Self::load_each(specs, context);
        if problems.is_empty() {
            Ok(registry)
        } else {
            Err(RegistryError { problems })
        }
    }

    /// Like [`load`](Self::load), for those who want to know of the others, too: what can be made, and what is wrong with
    /// the rest.
    #[must_use]
    pub fn load_each(specs: &[OutputSpec], context: &LoadContext) -> (Self, Vec<OutputProblem>) {
        let history = OutputSpec {
            name: OutputName::history(),
            settings: serde_json::Value::Null,
            origin: "built in".to_owned(),
        };
        let mut by_name: BTreeMap<&OutputName, Vec<&OutputSpec>> = BTreeMap::new();
        for spec in specs {
            by_name.entry(&spec.name).or_default().push(spec);
        }
        by_name.entry(&history.name).or_insert_with(|| vec![&history]);

        let mut registry = Self::default();
        let mut problems = Vec::new();
        let clients = Clients::default();
        for (name, specs) in by_name {
            let said = specs.iter().rev().find(|spec| !is_empty(&spec.settings));
            let origin = said.or(specs.first()).map(|spec| spec.origin.clone());
            let problem = |message| OutputProblem {
                name: name.clone(),
                origin: origin.clone().unwrap_or_default(),
                message,
            };
            match make(name, &specs, context, &clients) {
                Ok(Made::Output(registered)) => {
                    registry.outputs.insert(name.clone(), registered);
                }
                Ok(Made::Unavailable(reason)) => {
                    let message = format!("{reason}; alerts to it go to the dead-letter store");
                    registry.warnings.push(problem(message));
                    let fingerprint = hash_of(&reason);
                    let registered = Registered {
                        output: Arc::new(Unavailable { reason }),
                        options: unavailable_options(),
                        fingerprint,
                    };
                    registry.outputs.insert(name.clone(), registered);
                }
                Err(message) => problems.push(problem(message)),
            }
        }
        (registry, problems)
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, name: OutputName, output: Arc<dyn Output>, options: DeliveryOptions) {
        // nothing is known of what it is made from, so it is another one
        let fingerprint = hash_of(&Arc::as_ptr(&output).cast::<()>());
        let registered = Registered {
            output,
            options,
            fingerprint,
        };
        self.outputs.insert(name, registered);
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

    pub(crate) fn get(&self, name: &OutputName) -> Option<&Registered> {
        self.outputs.get(name)
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
    async fn send(&self, _: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        Err(SendError::permanent(self.reason.clone()))
    }
}

enum Made {
    Output(Registered),
    Unavailable(String),
}

fn make(
    name: &OutputName,
    specs: &[&OutputSpec],
    context: &LoadContext,
    clients: &Clients,
) -> Result<Made, String> {
    let Some(service) = service(name.service()) else {
        let name = name.service();
        let known: Vec<&str> = services().iter().map(|service| service.name).collect();
        return Err(format!(
            "unknown service {name:?}, expected one of {}",
            known.join(", ")
        ));
    };
    check_descriptor(name.descriptor())?;
    let mut table = Table::new();
    let mut stray = None;
    if let Some(stored) = context.credentials.get(name) {
        // StreamAlert's may hold more than we ask for
        stray = stored
            .keys()
            .find(|name| service.field(name).is_none() && *name != "allow_internal");
        let known = stored.iter().filter(|(name, _)| service.field(name).is_some());
        table.extend(known.map(|(name, value)| (name.clone(), value.clone())));
    }
    for spec in specs {
        match &spec.settings {
            serde_json::Value::Null => {}
            serde_json::Value::Object(fields) => {
                table.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            text @ serde_json::Value::String(_) => match service.short_field() {
                Some(field) => {
                    // settings may have been read before `conf/outputs.json`
                    table.entry(field.name).or_insert_with(|| text.clone());
                }
                None => return Err("settings must be a table".to_owned()),
            },
            _ => return Err("settings must be a table".to_owned()),
        }
    }
    let overrides = match table.remove("delivery") {
        None => DeliveryOverrides::default(),
        Some(value) => serde_json::from_value(value).map_err(|error| format!("delivery: {error}"))?,
    };
    let mut required = service.fields.iter().filter(|field| field.is_required).peekable();
    if table.is_empty() && stray.is_none() && required.peek().is_some() {
        let names: Vec<&str> = required.map(|field| field.name).collect();
        return Ok(Made::Unavailable(format!(
            "no settings for {name} ({}) are given, give them with `streamalert output add {name}`",
            names.join(", ")
        )));
    }
    // where one is missing, one that nobody knows is most likely meant for it
    let with_stray = |error: String| match stray {
        Some(stray) if error.starts_with("missing field") => {
            format!("{}; {error}", unknown_field(service, stray))
        }
        _ => error,
    };
    let settings = Settings::new(name, service, table, context, clients).map_err(with_stray)?;
    let output = (service.make)(&settings).map_err(with_stray)?;
    let fingerprint = settings.fingerprint();
    let options = overrides
        .apply((service.delivery)())
        .map_err(|error| format!("delivery: {error}"))?;
    Ok(Made::Output(Registered {
        output,
        options,
        fingerprint,
    }))
}

/// Compared within one process only.
fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn is_empty(settings: &serde_json::Value) -> bool {
    match settings {
        serde_json::Value::Null => true,
        serde_json::Value::Object(table) => table.is_empty(),
        _ => false,
    }
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
