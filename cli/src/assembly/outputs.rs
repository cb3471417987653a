use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use streamalert_config::{
    Conf, FieldValue, OutputTarget, Place, Problem, Secret, SecretSource, Settings, StoreType,
};
use streamalert_dispatcher::{Fetched, LoadContext, OutputProblem, OutputRegistry, OutputSpec};
use streamalert_secrets::Secrets;
use streamalert_types::{Clock, OutputName};

use super::secrets::{Fields, fetch, stored};
use crate::failure::Failure;
use crate::project::Project;

/// Every output of `conf/outputs.json` and `streamalert.toml`, as far as it can be made.
pub(crate) struct Outputs {
    /// Those that can be made.
    pub(crate) registry: OutputRegistry,
    /// What is wrong with the others, at the lines that name them.
    pub(crate) problems: Vec<(OutputName, Problem)>,
    /// Those that get fields from the store of secrets.
    pub(crate) stored: BTreeSet<OutputName>,
}

impl Outputs {
    /// All outputs, or what is wrong with some.
    fn all(self) -> Result<OutputRegistry, Failure> {
        if self.problems.is_empty() {
            return Ok(self.registry);
        }
        let told = self.problems.iter().map(|(_, problem)| problem.to_string());
        Err(Failure::Other(told.collect::<Vec<_>>().join("\n")))
    }
}

/// Makes every output, after asking for all secrets that they need.
pub(crate) async fn registry(project: &Project, clock: Arc<dyn Clock>) -> Result<OutputRegistry, Failure> {
    outputs(&project.settings, &project.conf, clock).await?.all()
}

/// Makes every output that can be made, after asking for all secrets that they need.
pub(crate) async fn outputs(
    settings: &Settings,
    conf: &Conf,
    clock: Arc<dyn Clock>,
) -> Result<Outputs, Failure> {
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for name in conf.outputs.names() {
        // Whoever tries the rules of a StreamAlert repository has a file as the store, and no stream; whoever wants it
        // nevertheless says so, and that comes second.
        let is_set = settings.place_of(&["outputs", name.as_str()]) != Place::default();
        let is_local = is_set || settings.store.r#type == StoreType::Embedded;
        let stays_here = is_local && name == OutputName::history();
        if stays_here && !is_set && !said(conf, &name).is_null() {
            tracing::info!(
                output = %name,
                "the store is embedded, so the history stays in files; fields.delivery_stream sends it to a stream"
            );
        }
        specs.push(OutputSpec {
            settings: if stays_here {
                serde_json::Value::Null
            } else {
                said(conf, &name)
            },
            origin: at(&conf.outputs.place_of(&name)),
            name,
        });
    }
    for (name, target) in &settings.outputs {
        if matches!(target, OutputTarget::History { .. }) {
            continue;
        }
        let place = settings.place_of(&["outputs", name.as_str()]);
        match table(target) {
            Ok(settings) => specs.push(OutputSpec {
                name: name.clone(),
                settings,
                origin: at(&place),
            }),
            Err(Unset { field, variable }) => {
                let message = format!("environment variable {variable} is not set");
                let message = field.map_or_else(|| message.clone(), |field| format!("{field}: {message}"));
                problems.push((name.clone(), problem(settings, conf, name, message)));
            }
        }
    }
    let secrets = super::secrets(settings, conf);
    let (credentials, failures) = Box::pin(stored(&secrets, settings, &specs)).await;
    for (name, message) in failures {
        let problem = problem(settings, conf, &name, message);
        problems.push((name, problem));
    }
    specs.retain(|spec| problems.iter().all(|(name, _)| *name != spec.name));
    let fetched = Box::pin(fetch(&secrets, &specs)).await;
    let stored = credentials.keys().cloned().collect();
    let context = context(settings, conf, fetched, credentials, clock)?;
    let (registry, more) = OutputRegistry::load_each(&specs, &context);
    for OutputProblem { name, message, .. } in more {
        let problem = problem(settings, conf, &name, message);
        problems.push((name, problem));
    }
    problems.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Outputs {
        registry,
        problems,
        stored,
    })
}

/// One output by itself, from fields that nothing names yet, or what is wrong with them.
pub(crate) async fn candidate(
    (settings, conf): (&Settings, &Conf),
    secrets: &Secrets,
    name: &OutputName,
    fields: Fields,
    clock: Arc<dyn Clock>,
) -> Result<OutputRegistry, Failure> {
    let specs = [OutputSpec {
        name: name.clone(),
        settings: fields.into(),
        origin: String::new(),
    }];
    let fetched = Box::pin(fetch(secrets, &specs)).await;
    let context = context(settings, conf, fetched, BTreeMap::new(), clock)?;
    let (registry, problems) = OutputRegistry::load_each(&specs, &context);
    match problems.iter().chain(registry.warnings()).next() {
        Some(problem) => Err(Failure::Other(format!("{name}: {}", problem.message))),
        None => Ok(registry),
    }
}

/// Where an output is configured: its settings where it has any, for these win.
pub(crate) fn place_of(settings: &Settings, conf: &Conf, name: &OutputName) -> Place {
    let place = settings.place_of(&["outputs", name.as_str()]);
    if place == Place::default() && conf.outputs.get(name).is_some() {
        conf.outputs.place_of(name)
    } else {
        place
    }
}

fn problem(settings: &Settings, conf: &Conf, name: &OutputName, message: String) -> Problem {
    let field = named_field(&message)
        .map(|field| settings.place_of(&["outputs", name.as_str(), "fields", field]))
        .filter(|place| *place != Place::default());
    field
        .unwrap_or_else(|| place_of(settings, conf, name))
        .error(format!("output {name}"), message, "")
}

/// The field that a complaint is about: those of outputs begin with it.
fn named_field(message: &str) -> Option<&str> {
    match message.strip_prefix("unknown field `") {
        Some(rest) => rest.split_once('`').map(|(field, _)| field),
        None => message.split_once(':').map(|(field, _)| field),
    }
}

/// The region that AWS is asked in where nothing nearer says one: that of the settings, or that of StreamAlert's account.
pub(crate) fn aws_region(settings: &Settings, conf: &Conf) -> Option<String> {
    let of_account = || {
        let region = conf.global.section("account")?.get("region")?.as_str()?;
        (!region.is_empty()).then(|| region.to_owned())
    };
    settings.aws.region.clone().or_else(of_account)
}

/// `FILE:LINE:COLUMN`
pub(crate) fn at(place: &Place) -> String {
    match place.line {
        0 => place.file.clone(),
        line => format!("{}:{line}:{}", place.file, place.column),
    }
}

fn context(
    settings: &Settings,
    conf: &Conf,
    fetched: Fetched,
    credentials: BTreeMap<OutputName, Fields>,
    clock: Arc<dyn Clock>,
) -> Result<LoadContext, Failure> {
    let mut history_dir = settings.data.dir.join("history");
    if let Some(OutputTarget::History { dir }) = settings.outputs.get(&OutputName::history()) {
        history_dir.clone_from(dir);
    }
    let aws = &settings.aws;
    let account = conf.global.section("account");
    let aws_account = account.and_then(|account| account.get("aws_account_id")?.as_str());
    Ok(LoadContext {
        fetched,
        base_dir: std::env::current_dir()?,
        history_dir: absolute(&history_dir)?,
        env: Arc::new(|name| std::env::var(name).ok()),
        clock,
        credentials: Arc::new(credentials),
        aws: streamalert_dispatcher::aws_configs(aws_region(settings, conf), aws.endpoint_url.clone()),
        aws_account: aws_account.map(str::to_owned),
    })
}

/// What `conf/outputs.json` says of an output beside its name, for services that take something from there.
fn said(conf: &Conf, name: &OutputName) -> serde_json::Value {
    let takes = streamalert_dispatcher::service(name.service()).and_then(|service| service.short_field());
    match (takes, conf.outputs.get(name).and_then(|value| value.as_str())) {
        (Some(_), Some(text)) => text.into(),
        _ => serde_json::Value::Null,
    }
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

/// An environment variable that is missing, and the field that names it, of an output that is made from fields.
struct Unset {
    field: Option<String>,
    variable: String,
}

impl From<String> for Unset {
    fn from(variable: String) -> Self {
        Self {
            field: None,
            variable,
        }
    }
}

/// The settings table that an output is made from.
fn table(target: &OutputTarget) -> Result<serde_json::Value, Unset> {
    let text = |secret: &Secret| match secret.source() {
        SecretSource::Text(text) => Ok(serde_json::Value::from(text)),
        SecretSource::Unset(variable) => Err(variable.to_owned()),
        SecretSource::Place(place) => Ok(serde_json::json!(place.table())),
    };
    let mut table = serde_json::Map::new();
    match target {
        OutputTarget::File { path } => {
            table.insert("path".to_owned(), path.display().to_string().into());
        }
        OutputTarget::Slack { url } => {
            table.insert("url".to_owned(), text(url)?);
        }
        OutputTarget::Webhook {
            url,
            headers,
            hmac_secret,
        } => {
            table.insert("url".to_owned(), text(url)?);
            let headers = headers
                .iter()
                .map(|header| Ok((header.name.clone(), text(&header.value)?)))
                .collect::<Result<serde_json::Map<_, _>, String>>()?;
            table.insert("headers".to_owned(), headers.into());
            if let Some(secret) = hmac_secret {
                table.insert("hmac_secret".to_owned(), text(secret)?);
            }
        }
        OutputTarget::Fields(fields) => {
            for (name, value) in fields {
                let value = match value {
                    FieldValue::One(secret) => text(secret),
                    FieldValue::Number(number) => Ok((*number).into()),
                    FieldValue::Flag(flag) => Ok((*flag).into()),
                    FieldValue::List(items) => items
                        .iter()
                        .map(text)
                        .collect::<Result<Vec<_>, _>>()
                        .map(Into::into),
                    FieldValue::Table(entries) => entries
                        .iter()
                        .map(|(key, secret)| Ok((key.clone(), text(secret)?)))
                        .collect::<Result<serde_json::Map<_, _>, _>>()
                        .map(Into::into),
                };
                let unset = |variable| Unset {
                    field: Some(name.clone()),
                    variable,
                };
                table.insert(name.clone(), value.map_err(unset)?);
            }
        }
        OutputTarget::History { .. } => {}
    }
    Ok(table.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_the_settings_goes_before_that_of_the_account() {
        let dir = tempfile::tempdir().unwrap();
        let global = r#"{"account": {"region": "eu-west-1"}}"#;
        std::fs::write(dir.path().join("global.json"), global).unwrap();
        let conf = Conf::load(dir.path()).unwrap();
        let mut settings = Settings::default();
        assert_eq!(aws_region(&settings, &conf).as_deref(), Some("eu-west-1"));
        settings.aws.region = Some("us-east-1".to_owned());
        assert_eq!(aws_region(&settings, &conf).as_deref(), Some("us-east-1"));
    }
}
