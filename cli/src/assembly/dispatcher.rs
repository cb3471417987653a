use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_config::{Place, Settings};
use streamalert_dispatcher::{
    DeliveryOptions, Dispatcher, DispatcherHandle, DispatcherOptions, OutputRegistry, Rate,
};
use streamalert_merger::MergerOptions;
use streamalert_runtime::Runtime;
use streamalert_service::StreamLimits;
use streamalert_store::DeadLetterStore;
use streamalert_types::{Clock, OutputName, Tracer};
use tokio::task::JoinHandle;

use crate::project::Project;

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

/// How deliveries to each of the outputs are paced.
pub(crate) fn paces(settings: &Settings, outputs: &OutputRegistry) -> BTreeMap<OutputName, DeliveryOptions> {
    let paces = outputs.names().filter_map(|name| {
        let own = outputs.delivery_options(name)?.clone();
        Some((name.clone(), delivery_options(settings, name, own)))
    });
    paces.collect()
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
    let options = paces(&project.settings, &outputs);
    let publisher = Arc::new(crate::publishers::publishers(project, runtime, clock.clone()));
    let seed = super::jitter_seed(&*clock);
    let links = crate::publishers::links(&project.settings);
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
