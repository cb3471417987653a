use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_classifier::{
    BatchLimits, Classifier, ClassifierOptions, ClassifierParts, ClassifierTask, Taker, TakerFactory,
};
use streamalert_config::{Settings, SourceInput};
use streamalert_proto::Records;
use streamalert_schema::{Limits, Selection};
use streamalert_stream::{FileSource, HttpOptions, HttpSource, SourceContext, SourceLimits, SourceReader};
use streamalert_types::{Clock, Source, Tracer};

use crate::assembly::cloud::{CloudParts, CloudSources};
use crate::assembly::{Member, Stores, process_seed};
use crate::failure::Failure;
use crate::project::Project;

/// How often a folder is looked at for new files and lines.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Standard input, as file sources call it.
const STDIN: &str = "-";
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

/// A source over files named on the command line; `-` is standard input.
pub(crate) fn files_source(
    project: &Project,
    stores: &Stores,
    source: Arc<Source>,
    files: &[PathBuf],
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn SourceReader>, Failure> {
    let context = context(&project.settings, stores, clock);
    Ok(Box::new(FileSource::list(source, files.to_vec(), context)))
}

/// What there is to read, opened; with `to_the_end` each source ends when what is there now is read.
pub(crate) async fn settings_sources(
    project: &Project,
    stores: &Stores,
    member: &Member,
    clock: &Arc<dyn Clock>,
    to_the_end: bool,
) -> Result<Vec<Box<dyn SourceReader>>, Failure> {
    let (all, warnings) = project.conf.sources_to_read(&project.settings)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if all.is_empty() {
        tracing::warn!(
            "no sources are configured, nothing will be read; write [[sources]] in streamalert.toml, or set \
             aws.data_sources"
        );
    }
    let mut readers: Vec<Box<dyn SourceReader>> = Vec::new();
    let mut http: BTreeMap<SocketAddr, Vec<Arc<Source>>> = BTreeMap::new();
    let mut cloud = CloudSources::default();
    for settings in &all {
        let source = Arc::new(match settings.source.cluster {
            Some(_) => settings.source.clone(),
            None => project.source(&settings.source.to_string())?,
        });
        if cloud.take(&source, &settings.input) {
            continue;
        }
        let context = context(&project.settings, stores, clock.clone());
        let reader = match &settings.input {
            SourceInput::Files { glob } => FileSource::list(source, matching(glob)?, context),
            SourceInput::Directory { dir } if to_the_end => FileSource::list(source, listed(dir)?, context),
            SourceInput::Directory { dir } => FileSource::folder(source, dir.clone(), POLL_INTERVAL, context),
            SourceInput::Stdin => FileSource::list(source, vec![STDIN.into()], context),
            SourceInput::Http { address } => {
                http.entry(*address).or_default().push(source);
                continue;
            }
            // Taken above.
            _ => continue,
        };
        readers.push(Box::new(reader));
    }
    if to_the_end && !(http.is_empty() && cloud.is_empty()) {
        return Err(Failure::Other(
            "sources of type http and of AWS have no end; use `streamalert run`".to_owned(),
        ));
    }
    for (address, sources) in http {
        let context = context(&project.settings, stores, clock.clone());
        let options = HttpOptions::new(address, sources, clock.now().to_string());
        let reader = HttpSource::bind(options, context).await;
        readers.push(Box::new(
            reader.map_err(|error| Failure::Other(error.to_string()))?,
        ));
    }
    let parts = CloudParts {
        settings: &project.settings,
        member,
        leases: stores.leases.clone(),
        context: context(&project.settings, stores, clock.clone()),
        seed: process_seed(&**clock),
    };
    // Boxed: it reads the default chain of credentials, which is a large future.
    readers.extend(Box::pin(cloud.open(&parts)).await?);
    Ok(readers)
}

/// The files of a folder, in name order; it may be empty.
fn listed(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let bad = |error| Failure::while_doing(&format!("cannot read {}", dir.display()), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(bad)? {
        let path = entry.map_err(bad)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Files that a path or glob names, in name order.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::Other(format!("sources: path {pattern:?}: {error}"));
    let mut files = Vec::new();
    for path in glob::glob(pattern).map_err(|error| bad(&error))? {
        let path = path.map_err(|error| bad(&error))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(bad(&"no file is there"));
    }
    files.sort();
    Ok(files)
}

/// Makes the classification engine of a thread.
pub(crate) fn takers(project: &Project, clock: Arc<dyn Clock>) -> Result<TakerFactory, Failure> {
    let selections: Arc<HashMap<Source, Selection>> = Arc::new(project.selections()?);
    let limits = Limits {
        unpacked_bytes_max: bytes(project.settings.classifier.decompressed_bytes_max),
        ..Limits::default()
    };
    let letter_bytes_max = bytes(project.settings.data.dead_letter_body_bytes_max);
    Ok(Arc::new(move || {
        Taker::new(selections.clone(), limits, letter_bytes_max, clock.clone())
    }))
}

/// Starts a classifier on `sources`.
pub(crate) fn start_classifier(
    project: &Project,
    sources: Vec<Box<dyn SourceReader>>,
    records: Arc<dyn Records>,
    stores: &Stores,
    clock: Arc<dyn Clock>,
    tracer: Tracer,
) -> Result<(Classifier, ClassifierTask), Failure> {
    let classifier = &project.settings.classifier;
    let threads = match classifier.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let options = ClassifierOptions {
        threads,
        batch: BatchLimits {
            records_max: classifier.batch_records_max,
            bytes_max: bytes(classifier.batch_bytes_max),
        },
        tracer,
        ..ClassifierOptions::default()
    };
    let takers = takers(project, clock.clone())?;
    let dead_letters = stores.dead_letters.clone();
    Ok(Classifier::start(
        options,
        ClassifierParts {
            sources,
            takers,
            records,
            dead_letters,
            clock,
        },
    ))
}
