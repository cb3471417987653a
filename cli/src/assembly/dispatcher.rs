use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_config::{OutputTarget, Secret};
use streamalert_dispatcher::{
    Backoff, DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherHandle, DispatcherOptions, LoadContext,
    OutputRegistry, OutputSpec, Publisher,
};
use streamalert_python::PythonPool;
use streamalert_store::DeadLetterStore;
use streamalert_types::Clock;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::project::Project;
use crate::python::PoolPublisher;

/// Makes every output of `conf/outputs.json` and `streamalert.toml`.
pub(crate) fn registry(project: &Project, clock: Arc<dyn Clock>) -> Result<OutputRegistry, Failure> {
    let mut specs = Vec::new();
    for name in project.conf.outputs.names() {
        let origin = project.conf.outputs.document.as_ref().map_or_else(String::new, |file| file.file().to_owned());
        specs.push(OutputSpec { name, settings: serde_json::Value::Null, origin });
    }
    let mut history_dir = project.settings.data.dir.join("history");
    for (name, target) in &project.settings.outputs {
        if let OutputTarget::History { dir } = target {
            history_dir = dir.clone();
            continue;
        }
        let origin = project.settings.place_of(&["outputs", name.as_str()]).file;
        let settings = settings(target).map_err(|variable| {
            Failure::Other(format!("{origin}: outputs.{name}: environment variable {variable} is not set"))
        })?;
        specs.push(OutputSpec { name: name.clone(), settings, origin });
    }
    let context = LoadContext {
        base_dir: std::env::current_dir()?,
        history_dir: absolute(&history_dir)?,
        env: Arc::new(|name| std::env::var(name).ok()),
        clock,
    };
    OutputRegistry::load(&specs, &context).map_err(|error| Failure::Other(error.to_string()))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

/// The settings table that an output is made from; the name of the environment variable that is missing otherwise.
fn settings(target: &OutputTarget) -> Result<serde_json::Value, String> {
    let text = |secret: &Secret| secret.reveal().map(|text| serde_json::Value::String(text.to_owned()));
    let mut table = serde_json::Map::new();
    match target {
        OutputTarget::File { path } => {
            table.insert("path".to_owned(), path.display().to_string().into());
        }
        OutputTarget::Slack { url } => {
            table.insert("url".to_owned(), text(url)?);
        }
        OutputTarget::Webhook { url, headers, hmac_secret } => {
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
        OutputTarget::History { .. } => {}
    }
    Ok(table.into())
}

/// Starts a dispatcher.
pub(crate) fn start_dispatcher(
    project: &Project,
    outputs: OutputRegistry,
    pool: Option<PythonPool>,
    dead_letters: Arc<dyn DeadLetterStore>,
    clock: Arc<dyn Clock>,
) -> (DispatcherHandle, JoinHandle<()>) {
    for warning in outputs.warnings() {
        tracing::warn!(output = %warning.name, "{}", warning.message);
    }
    let settings = &project.settings.dispatcher;
    let options = outputs
        .names()
        .map(|name| {
            let limits = project.settings.limits_of(name);
            let defaults = DeliveryOptions::default();
            let options = DeliveryOptions {
                concurrency: limits.concurrency.unwrap_or(defaults.concurrency),
                rate: limits.rate_per_sec.map(|per_sec| streamalert_dispatcher::Rate { per_sec, burst: 1 }),
                timeout: limits.timeout_ms.map_or(defaults.timeout, Duration::from_millis),
                backoff: Backoff {
                    first: Duration::from_millis(settings.retry_initial_ms),
                    max: Duration::from_millis(settings.retry_max_ms),
                },
                dead_letter_after: limits
                    .dead_letter_after_secs
                    .map_or(defaults.dead_letter_after, Duration::from_secs),
                ..defaults
            };
            (name.clone(), options)
        })
        .collect::<BTreeMap<_, _>>();
    let publisher: Arc<dyn Publisher> = match pool {
        Some(pool) => Arc::new(PoolPublisher(pool)),
        None => Arc::new(DefaultPublisher),
    };
    let seed = super::jitter_seed(&*clock);
    let options = DispatcherOptions { outputs: options, ..DispatcherOptions::default() };
    Dispatcher { options, outputs, publisher, dead_letters, clock, seed }.start()
}
