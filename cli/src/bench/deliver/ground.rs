use std::path::Path;
use std::sync::Arc;

use streamalert_dispatcher::{
    DefaultPublisher, Dispatcher, DispatcherHandle, DispatcherOptions, Fetched, LoadContext, OutputRegistry,
    OutputSpec,
};
use streamalert_merger::{Merger, MergerHandle, MergerOptions, MergerTask};
use streamalert_store::{EmbeddedOptions, EmbeddedStore, MemoryStore};
use streamalert_types::{Alert, OutputName, SystemClock};

use crate::bench::alerts::AlertMaker;
use crate::failure::Failure;

/// A webhook output.
pub(in crate::bench) fn webhook(name: &str, url: &str, more: serde_json::Value) -> OutputSpec {
    let mut settings = more;
    settings["url"] = url.into();
    OutputSpec {
        name: output(name),
        settings,
        origin: "bench".to_owned(),
    }
}

pub(in crate::bench) fn output(name: &str) -> OutputName {
    name.parse()
        .expect("the names of this benchmark are names of outputs")
}

/// A dispatcher of these outputs on the runtime that this is called on.
pub(in crate::bench) fn dispatcher(outputs: &[OutputSpec]) -> Result<DispatcherHandle, Failure> {
    let context = LoadContext {
        base_dir: std::env::temp_dir(),
        history_dir: std::env::temp_dir(),
        env: Arc::new(|_| None),
        fetched: Fetched::default(),
        clock: Arc::new(SystemClock),
        credentials: Arc::default(),
        aws: streamalert_dispatcher::aws_configs(None, None),
        aws_account: None,
    };
    let outputs =
        OutputRegistry::load(outputs, &context).map_err(|error| Failure::Other(error.to_string()))?;
    let (handle, _task) = Dispatcher {
        options: DispatcherOptions::default(),
        outputs,
        publisher: Arc::new(DefaultPublisher),
        dead_letters: Arc::new(MemoryStore::new()),
        clock: Arc::new(SystemClock),
        seed: 1,
    }
    .start();
    Ok(handle)
}

/// A merger on an embedded store in `dir`, before `dispatcher`.
pub(in crate::bench) async fn merger(
    dir: &Path,
    in_flight: usize,
    dispatcher: DispatcherHandle,
) -> Result<(MergerHandle, MergerTask, EmbeddedStore), Failure> {
    let store = EmbeddedStore::open(EmbeddedOptions::new(dir))
        .map_err(|error| Failure::while_doing("cannot open the store", error))?;
    let options = MergerOptions {
        output_deliveries_max: in_flight,
        alone: true,
        ..MergerOptions::default()
    };
    let (merger, task) = Merger::start(
        options,
        Arc::new(store.clone()),
        Arc::new(store.clone()),
        Arc::new(dispatcher),
        Arc::new(SystemClock),
    )
    .await
    .map_err(|error| Failure::while_doing("cannot start the merger", error))?;
    Ok((merger, task, store))
}

/// An alert about a CloudTrail event of 1.45 KB for these outputs, not to be merged.
pub(in crate::bench) fn alert(maker: &AlertMaker, number: u64, outputs: &[OutputName]) -> Arc<Alert> {
    Arc::new(Alert {
        outputs: outputs.iter().cloned().collect(),
        merge_by_keys: [].into(),
        merge_window_mins: 0,
        ..Alert::clone(&maker.alert(number))
    })
}
