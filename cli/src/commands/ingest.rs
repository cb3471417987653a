use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use streamalert_classifier::{Classifier, SourceEnd};
use streamalert_merger::MergerHandle;
use streamalert_service::{LogFormat, Telemetry, TelemetryOptions};
use streamalert_stream::SourceReader;
use streamalert_types::{OutputName, Tracer};
use streamalert_value::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::admin::ProcessAdmin;
use crate::args::{Global, Ingest};
use crate::assembly::{self, Member, Pipeline, Stores};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::paint;
use crate::project::Project;
use crate::telemetry::Exporter;

/// How often the progress bar is drawn.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Reads logs to their end through all four services, and sums up.
pub(crate) async fn run(global: &Global, args: &Ingest) -> Result<(), Failure> {
    let project = Project::load(global)?;
    // The summary is what people look at: the log only speaks up when something is wrong, unless asked.
    let quiet = project.settings.telemetry.log_level == "info";
    let filter = if quiet {
        "warn".to_owned()
    } else {
        project.settings.telemetry.log_level.clone()
    };
    let format = match project.settings.telemetry.log_format {
        streamalert_config::LogFormat::Text => LogFormat::Text,
        streamalert_config::LogFormat::Json => LogFormat::Json,
    };
    let _telemetry = Telemetry::start(&TelemetryOptions { format, filter })
        .map_err(|error| Failure::Other(error.to_string()))?;
    assembly::needs_own_store(&project.settings, "ingest")?;
    let clock = assembly::clock();
    let stores = assembly::open_stores(&project.settings).await?;
    let sources = if let Some(source) = &args.source {
        let source = Arc::new(project.source(source)?);
        vec![assembly::files_source(
            &project,
            &stores,
            source,
            &args.files,
            clock.clone(),
        )?]
    } else if project.settings.sources.is_empty() {
        let hint =
            "name a source and files (--source s3:BUCKET FILE…), or write [[sources]] in streamalert.toml";
        return Err(Failure::Other(format!("nothing to read: {hint}")));
    } else {
        let member = Member::of(&project.settings, &*clock);
        assembly::settings_sources(&project, &stores, &member, &clock, true).await?
    };
    let summary = pipeline(&project, stores, sources, clock).await?;
    if args.json {
        println!("{}", summary.to_value().to_json());
    } else {
        summary.print();
    }
    if summary.failed() {
        Err(Failure::Told)
    } else {
        Ok(())
    }
}

/// Everything between sources and outputs, until all of it is delivered.
pub(crate) async fn pipeline(
    project: &Project,
    stores: Stores,
    sources: Vec<Box<dyn SourceReader>>,
    clock: Arc<dyn streamalert_types::Clock>,
) -> Result<Summary, Failure> {
    let start = assembly::process_seed(&*clock);
    let exporter = crate::telemetry::exporter(&project.settings, None, clock.clone(), start)?;
    let tracer = exporter
        .as_ref()
        .map_or_else(Tracer::default, |exporter| exporter.tracer.clone());
    let mut line = Pipeline::start(project, &stores, clock.clone(), tracer.clone()).await?;
    let records = Arc::new(line.rules.clone());
    let (classifier, task) = assembly::start_classifier(project, sources, records, &stores, clock, tracer)?;
    let exporting = exporter.map(|exporter| Exporting::start(exporter, &classifier, &line, &stores));

    let bar = progress_bar();
    let watching = tokio::spawn(watch(bar.clone(), classifier.clone(), line.merger.clone()));
    let ends = task.ended().await;
    // The input has an end, so no group need wait for its window.
    line.merger.close_groups_now().await;
    line.merger.wait_idle().await;
    watching.abort();
    bar.finish_and_clear();

    let mut summary = Summary::gather(&classifier, &line, &stores, ends).await?;
    summary.not_loaded = std::mem::take(&mut line.not_loaded);
    if let Some(exporting) = exporting {
        // Before the services end: what they have counted goes with them.
        exporting.end().await;
    }
    line.stop().await?;
    Ok(summary)
}

/// Traces and metrics on their way to a collector.
struct Exporting {
    ended: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Exporting {
    fn start(exporter: Exporter, classifier: &Classifier, line: &Pipeline, stores: &Stores) -> Self {
        let admin = ProcessAdmin {
            stores: Some(stores.clone()),
            classifier: Some(classifier.clone()),
            rules: Some(line.rules.clone()),
            merger: Some(line.merger.clone()),
            dispatcher: Some(line.dispatcher.clone()),
            spans: Some(exporter.spans),
            ..ProcessAdmin::default()
        };
        let ended = CancellationToken::new();
        let task = tokio::spawn(exporter.task.run(Arc::new(admin), ended.clone()));
        Self { ended, task }
    }

    /// Exports what is left, for as long as the exporter waits for a collector that ends.
    async fn end(self) {
        self.ended.cancel();
        // A task that died has said so.
        let _ = self.task.await;
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]");
    bar.set_style(style.expect("the template is a constant that parses"));
    bar
}

async fn watch(bar: ProgressBar, classifier: Classifier, merger: MergerHandle) {
    loop {
        let (read, alerts) = (classifier.stats().snapshot(), merger.stats().await);
        let outstanding: u64 = alerts.outputs.values().map(|output| output.outstanding).sum();
        bar.set_message(format!(
            "{} payloads, {} records, {} alerts, {outstanding} being delivered",
            read.payloads,
            read.records_total(),
            alerts.accepted,
        ));
        bar.tick();
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

/// What a run came to.
pub(crate) struct Summary {
    payloads: u64,
    bytes: u64,
    records: BTreeMap<Arc<str>, u64>,
    dead_letters: u64,
    dead_letters_kept: u64,
    rules: Vec<RuleLine>,
    alerts_new: u64,
    alerts_known: u64,
    merged: u64,
    outputs: BTreeMap<OutputName, (u64, u64)>,
    errors: Vec<String>,
    /// Rule files that did not load: their alerts are not among these.
    not_loaded: Vec<String>,
}

struct RuleLine {
    name: Arc<str>,
    alerts: u64,
    exceptions: u64,
    kills: u64,
    suspended: u64,
}

impl Summary {
    async fn gather(
        classifier: &Classifier,
        line: &Pipeline,
        stores: &Stores,
        ends: Vec<SourceEnd>,
    ) -> Result<Self, Failure> {
        let read = classifier.stats().snapshot();
        let merged = line.merger.stats().await;
        let delivered = line.dispatcher.stats();
        let rules = line
            .rules
            .stats()
            .snapshot()
            .into_iter()
            .filter_map(|(name, stats)| {
                let line = RuleLine {
                    name,
                    alerts: stats.matches,
                    exceptions: stats.exceptions,
                    kills: stats.kills,
                    suspended: stats.suspended,
                };
                (line.alerts + line.exceptions + line.kills + line.suspended > 0).then_some(line)
            });
        let mut outputs: BTreeMap<OutputName, (u64, u64)> = delivered
            .outputs
            .into_iter()
            .map(|(name, stats)| (name, (stats.delivered, stats.dead)))
            .filter(|(_, (delivered, dead))| delivered + dead > 0)
            .collect();
        if delivered.unconfigured.dead > 0 {
            let name = "unknown:output".parse().expect("it has a colon");
            outputs.insert(name, (0, delivered.unconfigured.dead));
        }
        let kept = stores.dead_letters.count().await;
        Ok(Self {
            payloads: read.payloads,
            bytes: read.bytes,
            records: read.records,
            dead_letters: read.dead_letters,
            dead_letters_kept: kept
                .map_err(|error| Failure::while_doing("cannot count dead letters", error))?,
            rules: rules.collect(),
            alerts_new: merged.accepted,
            alerts_known: merged.duplicates,
            merged: merged.merged,
            outputs,
            errors: ends
                .into_iter()
                .flat_map(|end| end.errors)
                .map(|error| error.to_string())
                .collect(),
            not_loaded: Vec::new(),
        })
    }

    /// Something was not read or not delivered. Dead letters of the classifier are no failure: they are kept, and
    /// logs that no schema knows are everyday.
    fn failed(&self) -> bool {
        !self.errors.is_empty()
            || !self.not_loaded.is_empty()
            || self.outputs.values().any(|(_, dead)| *dead > 0)
    }

    fn print(&self) {
        let head = |word: &str| paint::in_style(paint::HEAD, word);
        let records: u64 = self.records.values().sum();
        anstream::println!(
            "{}",
            head(&format!(
                "{records} records from {} payloads ({} bytes)",
                self.payloads, self.bytes
            ))
        );
        for (log_type, count) in &self.records {
            anstream::println!("  {count:>8}  {log_type}");
        }
        if self.payloads == 0 && self.errors.is_empty() {
            anstream::println!("  nothing new: everything in these sources was read and acknowledged before");
        }
        if self.dead_letters > 0 {
            let word = paint::in_style(paint::ODD, format!("{} dead letters", self.dead_letters));
            anstream::println!(
                "{word} (`streamalert dead-letter list` shows all {})",
                self.dead_letters_kept
            );
        }
        let known = match self.alerts_known {
            0 => String::new(),
            known => format!(" ({known} of these were known from before, and are not sent again)"),
        };
        let found = self.alerts_new + self.alerts_known;
        anstream::println!("{}{known}", head(&format!("{found} alerts")));
        for line in &self.rules {
            let mut notes = Vec::new();
            for (count, word) in [
                (line.exceptions, "exceptions"),
                (line.kills, "killed over a limit"),
                (line.suspended, "records while suspended"),
            ] {
                if count > 0 {
                    notes.push(format!("{count} {word}"));
                }
            }
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!("  ({})", notes.join(", "))
            };
            anstream::println!(
                "  {:>8}  {}{}",
                line.alerts,
                line.name,
                paint::in_style(paint::ODD, notes)
            );
        }
        if self.merged > 0 {
            anstream::println!(
                "  {:>8}  merged alerts, one for each group that was closed",
                self.merged
            );
        }
        if !self.outputs.is_empty() {
            anstream::println!("{}", head("deliveries"));
        }
        for (output, (delivered, dead)) in &self.outputs {
            let dead = match dead {
                0 => String::new(),
                dead => paint::in_style(
                    paint::BAD,
                    format!("  {dead} not delivered, kept as dead letters"),
                ),
            };
            anstream::println!("  {delivered:>8}  {output}{dead}");
        }
        for error in &self.errors {
            anstream::println!("{} {error}", paint::in_style(paint::BAD, "not read:"));
        }
        for error in &self.not_loaded {
            let word = "rules not loaded, so their alerts are missing:";
            anstream::println!("{} {error}", paint::in_style(paint::BAD, word));
        }
        if !self.not_loaded.is_empty() {
            anstream::println!("  mend them, and read the logs again with another --data-dir");
        }
    }

    fn to_value(&self) -> Value {
        let counts = |entries: Vec<(String, Value)>| Value::Map(entries.into_iter().collect::<Map>());
        object([
            ("payloads", integer(self.payloads)),
            ("bytes", integer(self.bytes)),
            (
                "records",
                counts(
                    self.records
                        .iter()
                        .map(|(name, n)| (name.to_string(), integer(*n)))
                        .collect(),
                ),
            ),
            ("dead_letters", integer(self.dead_letters)),
            ("alerts", integer(self.alerts_new)),
            ("alerts_known", integer(self.alerts_known)),
            ("merged", integer(self.merged)),
            (
                "rules",
                counts(
                    self.rules
                        .iter()
                        .map(|line| {
                            let entry = object([
                                ("alerts", integer(line.alerts)),
                                ("exceptions", integer(line.exceptions)),
                                ("kills", integer(line.kills)),
                                ("suspended", integer(line.suspended)),
                            ]);
                            (line.name.to_string(), entry)
                        })
                        .collect(),
                ),
            ),
            (
                "outputs",
                counts(
                    self.outputs
                        .iter()
                        .map(|(name, (delivered, dead))| {
                            let entry =
                                object([("delivered", integer(*delivered)), ("dead", integer(*dead))]);
                            (name.to_string(), entry)
                        })
                        .collect(),
                ),
            ),
            (
                "not_loaded",
                Value::List(self.not_loaded.iter().map(|error| text(error)).collect()),
            ),
            (
                "errors",
                Value::List(self.errors.iter().map(|error| text(error)).collect()),
            ),
        ])
    }
}
