use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_classifier::{
    BatchLimits, Classifier, ClassifierOptions, ClassifierParts, ClassifierTask, Taker, TakerFactory,
};
use streamalert_config::Settings;
use streamalert_proto::Records;
use streamalert_schema::{Limits, Selection};
use streamalert_stream::{SourceContext, SourceLimits, SourceReader};
use streamalert_types::{Clock, Source};

use crate::assembly::Stores;
use crate::failure::Failure;
use crate::project::Project;

/// How often checkpoints are written: what a kill makes us read again.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn context(settings: &Settings, stores: &Stores, clock: Arc<dyn Clock>) -> SourceContext {
    let classifier = &settings.classifier;
    SourceContext {
        checkpoints: stores.checkpoints.clone(),
        clock,
        limits: SourceLimits {
            record_bytes_max: bytes(classifier.record_bytes_max),
            object_bytes_max: bytes(classifier.object_bytes_max),
            oversize_head_bytes: bytes(settings.data.dead_letter_body_bytes_max),
            bytes_open_max: bytes(classifier.in_flight_bytes_max),
            checkpoint_interval: CHECKPOINT_INTERVAL,
            ..SourceLimits::default()
        },
    }
}

/// A source over files named on the command line.
pub(crate) async fn files_source(
    project: &Project,
    stores: &Stores,
    source: Arc<Source>,
    files: &[PathBuf],
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn SourceReader>, Failure> {
    let _ = (context(&project.settings, stores, clock), source, files);
    Err(Failure::Other("files cannot be read yet".to_owned()))
}

/// The sources of `streamalert.toml`; with `to_the_end` each ends when what is there now is read.
pub(crate) async fn settings_sources(
    project: &Project,
    stores: &Stores,
    clock: Arc<dyn Clock>,
    to_the_end: bool,
) -> Result<Vec<Box<dyn SourceReader>>, Failure> {
    let _ = (context(&project.settings, stores, clock), to_the_end);
    Err(Failure::Other("files cannot be read yet".to_owned()))
}

/// Makes the classification engine of a thread.
pub(crate) fn takers(project: &Project, clock: Arc<dyn Clock>) -> Result<TakerFactory, Failure> {
    let selections: Arc<HashMap<Source, Selection>> = Arc::new(project.selections()?);
    let limits = Limits {
        unpacked_bytes_max: bytes(project.settings.classifier.decompressed_bytes_max),
        ..Limits::default()
    };
    let letter_bytes_max = bytes(project.settings.data.dead_letter_body_bytes_max);
    Ok(Arc::new(move || Taker::new(selections.clone(), limits, letter_bytes_max, clock.clone())))
}

/// Starts a classifier on `sources`.
pub(crate) fn start_classifier(
    project: &Project,
    sources: Vec<Box<dyn SourceReader>>,
    records: Arc<dyn Records>,
    stores: &Stores,
    clock: Arc<dyn Clock>,
) -> Result<(Classifier, ClassifierTask), Failure> {
    let classifier = &project.settings.classifier;
    let threads = match classifier.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let options = ClassifierOptions {
        threads,
        batch: BatchLimits { records_max: classifier.batch_records_max, bytes_max: bytes(classifier.batch_bytes_max) },
        ..ClassifierOptions::default()
    };
    let takers = takers(project, clock.clone())?;
    let dead_letters = stores.dead_letters.clone();
    Ok(Classifier::start(options, ClassifierParts { sources, takers, records, dead_letters, clock }))
}
