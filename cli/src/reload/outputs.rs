//! Outputs of a running process follow `conf/outputs.json`, `streamalert.toml` and the secrets of this machine: looked at
//! every second, and loaded again on SIGHUP, which asks for secrets in AWS, too. What cannot be loaded leaves everything
//! as it is.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use streamalert_config::{Conf, OutputTarget, Problem, SecretSource, Settings};
use streamalert_detect::RuleRuntime;
use streamalert_dispatcher::{DispatcherHandle, OutputChanges};
use streamalert_runtime::Runtime;
use streamalert_service::Shutdown;
use streamalert_types::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{LOOK_EVERY, hung_up, rested, snapshot};
use crate::args::Global;
use crate::assembly;
use crate::failure::Failure;
use crate::project::{Project, load_settings, settings_file};
use crate::testing::Snapshot;

/// What is configured of outputs, as it is in force.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    pub(crate) settings: Settings,
    pub(crate) conf: Conf,
}

impl Configured {
    /// As it is at the start.
    pub(crate) fn of(project: &Project) -> Self {
        Self {
            settings: project.settings.clone(),
            conf: project.conf.clone(),
        }
    }

    /// The same with what the files say of outputs now.
    fn read_again(&self, global: &Global) -> Result<Self, Failure> {
        let newer = load_settings(global)?;
        let mut read = Conf::examine(&self.conf.dir)?;
        // Other files are not taken over before the next start, and may be in the middle of a change.
        read.problems
            .retain(|problem| problem.is_error() && problem.file.ends_with("outputs.json"));
        if !read.problems.is_empty() {
            return Err(read.problems.into());
        }
        let mut conf = self.conf.clone();
        conf.outputs = read.outputs;
        Ok(Self {
            settings: self.settings.with_outputs_of(&newer),
            conf,
        })
    }
}

/// Why what is configured now is not in force, if it is not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<String>>>);

impl Kept {
    /// The reason.
    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// The files that outputs are made from. Looked at before they are read, so that no change falls in between.
pub(crate) struct OutputFiles {
    paths: Vec<PathBuf>,
    seen: Snapshot,
}

impl OutputFiles {
    /// Those of these settings.
    pub(crate) fn look(global: &Global, settings: &Settings) -> Self {
        let paths = paths(global, settings);
        let seen = Snapshot::of(&paths);
        Self { paths, seen }
    }
}

fn paths(global: &Global, settings: &Settings) -> Vec<PathBuf> {
    let mut paths = vec![settings.conf.dir.join("outputs.json")];
    paths.extend(settings_file(global));
    paths.extend(assembly::secret_files(settings));
    let secrets = settings.outputs.values().flat_map(OutputTarget::secrets);
    let files = secrets.filter_map(|secret| match secret.source() {
        SecretSource::Place(place) => match place.kind() {
            ("file", file) => Some(PathBuf::from(file)),
            _ => None,
        },
        SecretSource::Text(_) | SecretSource::Unset(_) => None,
    });
    paths.extend(files);
    paths
}

/// Keeps the outputs of a process those of their files.
pub(crate) struct OutputReloader {
    pub(crate) global: Global,
    pub(crate) project: Arc<Project>,
    pub(crate) files: OutputFiles,
    /// What is in force; others follow it.
    pub(crate) configured: watch::Sender<Arc<Configured>>,
    /// Who delivers, if it is this process.
    pub(crate) dispatcher: Option<DispatcherHandle>,
    /// The rules that name outputs, if this process evaluates them.
    pub(crate) rules: Option<Runtime>,
    pub(crate) kept: Kept,
    pub(crate) clock: Arc<dyn Clock>,
}

impl OutputReloader {
    /// Follows the files until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), Failure> {
        let mut hangups = signal(SignalKind::hangup())?;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watches = self.project.settings.rules.watch;
        // Rules that name an output that is to go: it goes when they have gone.
        let mut waits_for: Option<Arc<str>> = None;
        loop {
            let mut asked = tokio::select! {
                () = shutdown.draining() => return Ok(()),
                () = hung_up(&mut hangups) => true,
                _ = looks.tick(), if watches => false,
            };
            asked |= waits_for.is_some() && waits_for != self.rules_version();
            // A reload that takes long must not hold up the end.
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                answer = self.follow(asked) => if let Some(answer) = answer {
                    waits_for = answer;
                }
            }
        }
    }

    fn rules_version(&self) -> Option<Arc<str>> {
        let rules = self.rules.as_ref()?;
        Some(rules.rules().version().clone())
    }

    /// `None`: nothing has changed. Otherwise the version of the rules that do not allow it, if it is that.
    async fn follow(&mut self, asked: bool) -> Option<Option<Arc<str>>> {
        let newer = snapshot(&self.files.paths).await;
        let changes = self.files.seen.changes(&newer);
        if changes.is_empty() && !asked {
            return None;
        }
        self.files.seen = rested(&self.files.paths, newer).await;
        for path in &changes {
            tracing::info!(file = %path.display(), "changed");
        }
        let version = self.rules_version();
        let loaded = Box::pin(self.reload()).await;
        let settings = self.configured.borrow().settings.clone();
        self.files.paths = paths(&self.global, &settings);
        let now = Snapshot::of(&self.files.paths);
        self.files.seen = now.with_known(std::mem::take(&mut self.files.seen));
        match loaded {
            Ok(()) => {
                self.kept.set(None);
                Some(None)
            }
            Err(Refusal { reason, by_rules }) => {
                tracing::error!("outputs are not loaded again, those that run are kept: {reason}");
                self.kept.set(Some(reason));
                Some(if by_rules { version } else { None })
            }
        }
    }

    async fn reload(&self) -> Result<(), Refusal> {
        let before = self.configured.borrow().clone();
        let newer = before.read_again(&self.global)?;
        let mut outputs = None;
        if self.dispatcher.is_some() {
            let made = assembly::outputs(&newer.settings, &newer.conf, self.clock.clone()).await?;
            if !made.problems.is_empty() {
                let problems: Vec<Problem> = made.problems.into_iter().map(|(_, problem)| problem).collect();
                return Err(Failure::Problems(problems).into());
            }
            outputs = Some(made.registry);
        }
        let of_publishers = crate::publishers::output_rules(&newer.settings)
            .map_err(|problem| Failure::Problems(vec![problem]))?;
        if let Some(rules) = &self.rules {
            let generation = rules.current();
            let templates = self.project.presentation.templates.get();
            let report = generation.report();
            let problems = assembly::cross_check_of(&self.project, &newer, report, &templates);
            let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
            if !errors.is_empty() {
                let by_rules = true;
                let reason = Failure::Problems(errors).to_string();
                return Err(Refusal { reason, by_rules });
            }
        }
        if let (Some(dispatcher), Some(outputs)) = (&self.dispatcher, outputs) {
            for warning in outputs.warnings() {
                tracing::warn!(output = %warning.name, "{}", warning.message);
            }
            let paces = assembly::paces(&newer.settings, &outputs);
            tell(&dispatcher.replace(outputs, &paces).await);
        }
        self.project.presentation.rules.put(Arc::new(of_publishers));
        self.configured.send_replace(Arc::new(newer));
        Ok(())
    }
}

fn tell(changes: &OutputChanges) {
    if changes.is_empty() {
        tracing::info!("outputs are as they were");
        return;
    }
    let list = |names: &[streamalert_types::OutputName]| {
        let names: Vec<&str> = names.iter().map(streamalert_types::OutputName::as_str).collect();
        names.join(" ")
    };
    tracing::info!(
        added = list(&changes.added),
        changed = list(&changes.changed),
        removed = list(&changes.removed),
        "outputs loaded again"
    );
}

/// Why outputs are not loaded again.
struct Refusal {
    reason: String,
    /// Rules that run do not allow it; others may.
    by_rules: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.to_string(),
            by_rules: false,
        }
    }
}
