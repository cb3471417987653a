use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_config::{OutputTarget, Place, Secret, SecretSource, Settings};
use streamalert_dispatcher::{
    DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherHandle, DispatcherOptions, LinkTemplates,
    LoadContext, OutputRegistry, OutputSpec, Publisher, Rate,
};
use streamalert_merger::MergerOptions;
use streamalert_runtime::Runtime;
use streamalert_service::StreamLimits;
use streamalert_store::DeadLetterStore;
use streamalert_types::{Clock, OutputName, Tracer};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::project::Project;
use crate::python::RuntimePublisher;

/// Makes every output of `conf/outputs.json` and `streamalert.toml`, after asking for all secrets that they need.
pub(crate) async fn registry(project: &Project, clock: Arc<dyn Clock>) -> Result<OutputRegistry, Failure> {
    let mut specs = Vec::new();
    for name in project.conf.outputs.names() {
        let origin = project
            .conf
            .outputs
            .document
            .as_ref()
            .map_or_else(String::new, |file| file.file().to_owned());
        let settings = said(project, &name);
        specs.push(OutputSpec {
            name,
            settings,
            origin,
        });
    }
    let mut history_dir = project.settings.data.dir.join("history");
    for (name, target) in &project.settings.outputs {
        if let OutputTarget::History { dir } = target {
            history_dir = dir.clone();
            continue;
        }
        let origin = project.settings.place_of(&["outputs", name.as_str()]).file;
        let settings = settings(target).map_err(|variable| {
            Failure::Other(format!(
                "{origin}: outputs.{name}: environment variable {variable} is not set"
            ))
        })?;
        specs.push(OutputSpec {
            name: name.clone(),
            settings,
            origin,
        });
    }
    let secrets = super::secrets(&project.settings, &project.conf);
    let credentials = Box::pin(super::secrets::stored(&secrets, &project.settings, &specs)).await?;
    let fetched = Box::pin(super::secrets::fetch(&secrets, &specs)).await;
    let context = LoadContext {
        fetched,
        base_dir: std::env::current_dir()?,
        history_dir: absolute(&history_dir)?,
        env: Arc::new(|name| std::env::var(name).ok()),
        clock,
        credentials: Arc::new(credentials),
        aws: streamalert_dispatcher::aws_configs(),
    };
    OutputRegistry::load(&specs, &context).map_err(|error| Failure::Other(error.to_string()))
}

/// What `conf/outputs.json` says of an output beside its name, for services that take something from there.
fn said(project: &Project, name: &OutputName) -> serde_json::Value {
    let takes = streamalert_dispatcher::service(name.service()).and_then(|service| service.short_field());
    match (
        takes,
        project.conf.outputs.get(name).and_then(|value| value.as_str()),
    ) {
        (Some(_), Some(text)) => text.into(),
        _ => serde_json::Value::Null,
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

/// The settings table that an output is made from; the name of the environment variable that is missing otherwise.
fn settings(target: &OutputTarget) -> Result<serde_json::Value, String> {
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
                table.insert(name.clone(), text(value)?);
            }
        }
        OutputTarget::History { .. } => {}
    }
    Ok(table.into())
}

/// What the output's service says of deliveries, changed where the user said so for all outputs or for this one.
fn delivery_options(settings: &Settings, name: &OutputName, mut options: DeliveryOptions) -> DeliveryOptions {
    let all = &settings.dispatcher;
    let own = all.output.get(name.as_str()).cloned().unwrap_or_default();
    let set = |key: &str| settings.place_of(&["dispatcher", key]) != Place::default();
    if let Some(concurrency) = own
        .concurrency
        .or(set("concurrency_per_output").then_some(all.concurrency_per_output))
    {
        options.concurrency = concurrency;
    }
    if let Some(millis) = own.timeout_ms.or(set("timeout_ms").then_some(all.timeout_ms)) {
        options.timeout = Duration::from_millis(millis);
    }
    if let Some(secs) = own
        .dead_letter_after_secs
        .or(set("dead_letter_after_secs").then_some(all.dead_letter_after_secs))
    {
        options.dead_letter_after = Duration::from_secs(secs);
    }
    if let Some(per_sec) = own.rate_per_sec {
        options.rate = Some(Rate {
            per_sec,
            burst: options.rate.map_or(1, |rate| rate.burst),
        });
    }
    if set("retry_initial_ms") {
        options.backoff.first = Duration::from_millis(all.retry_initial_ms);
    }
    if set("retry_max_ms") {
        options.backoff.max = Duration::from_millis(all.retry_max_ms);
    }
    options
}

/// What one merger may have unanswered at a dispatcher of so many outputs: of each as much as it hands over. A delivery
/// is answered when it has ended, so that with less an output that is down would hold up the others.
pub(crate) fn delivery_limits(settings: &Settings, outputs: usize) -> StreamLimits {
    let merger = MergerOptions::default();
    // Each lane of a merger hands over one at least, and one beyond its share of the bytes.
    let beyond = merger.lanes as u64 * StreamLimits::default().message_bytes_max as u64;
    StreamLimits::deliveries(
        outputs,
        settings.merger.in_flight_per_output_max.max(merger.lanes),
        merger.output_bytes_max as u64 + beyond,
    )
}

/// Starts a dispatcher.
pub(crate) fn start_dispatcher(
    project: &Project,
    outputs: OutputRegistry,
    runtime: Option<Runtime>,
    dead_letters: Arc<dyn DeadLetterStore>,
    clock: Arc<dyn Clock>,
    tracer: Tracer,
) -> (DispatcherHandle, JoinHandle<()>) {
    for warning in outputs.warnings() {
        tracing::warn!(output = %warning.name, "{}", warning.message);
    }
    let options = outputs
        .names()
        .filter_map(|name| {
            Some((
                name.clone(),
                delivery_options(&project.settings, name, outputs.delivery_options(name)?.clone()),
            ))
        })
        .collect::<BTreeMap<_, _>>();
    let publisher: Arc<dyn Publisher> = match runtime {
        Some(runtime) => Arc::new(RuntimePublisher(runtime)),
        None => Arc::new(DefaultPublisher),
    };
    let seed = super::jitter_seed(&*clock);
    let links = LinkTemplates {
        alert: project.settings.dispatcher.alert_url.clone(),
        trace: project.settings.dispatcher.trace_url.clone(),
    };
    let options = DispatcherOptions {
        outputs: options,
        tracer,
        links: Arc::new(links),
        ..DispatcherOptions::default()
    };
    Dispatcher {
        options,
        outputs,
        publisher,
        dead_letters,
        clock,
        seed,
    }
    .start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_are_down_leave_room_for_those_that_are_not() {
        let mut settings = Settings::default();
        for (in_flight, outputs) in [(1, 1), (64, 20), (65_536, 300)] {
            settings.merger.in_flight_per_output_max = in_flight;
            let limits = delivery_limits(&settings, outputs);
            let held = (outputs - 1) * in_flight;
            assert!(limits.window_batches > held as u64, "{limits:?}");
            assert!(limits.window_batches >= StreamLimits::default().window_batches);
            let bytes = (outputs * MergerOptions::default().output_bytes_max) as u64;
            assert!(limits.window_bytes >= bytes.max(StreamLimits::default().window_bytes));
        }
    }
}
