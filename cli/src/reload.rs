//! Rules of a running process follow their files: looked at every second, and loaded again on SIGHUP.

pub(crate) mod outputs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_dispatcher::Templates;
use streamalert_runtime::{Runtime, StartError};
use streamalert_service::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use self::outputs::{Configured, Kept};
use crate::assembly;
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::Snapshot;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long they must rest before they are loaded: editors and deployments write in several steps.
const REST: Duration = Duration::from_millis(250);

/// Rests that are waited for at most: a file that something writes to all the time must not keep all others out.
const RESTS_MAX: u32 = 40;

/// Files as they were before they were loaded. Made before loading, so that no change falls in between.
pub(crate) struct RuleFiles {
    paths: Vec<PathBuf>,
    seen: Snapshot,
}

impl RuleFiles {
    /// The project's rules, matchers and publishers.
    pub(crate) fn look(project: &Project) -> Self {
        let dirs = project.python_dirs();
        let mut paths = dirs.rules;
        paths.extend(dirs.matchers);
        paths.extend(dirs.publishers);
        let seen = Snapshot::of(&paths);
        Self { paths, seen }
    }
}

/// Keeps a runtime's rules those of their files.
pub(crate) struct Reloader {
    pub(crate) project: Arc<Project>,
    pub(crate) runtime: Runtime,
    pub(crate) files: RuleFiles,
    /// Whether unknown log types and outputs of rules are looked for: not where rules are not evaluated.
    pub(crate) checks_rules: bool,
    /// The outputs that rules may name. Rules that were refused for want of one are tried again when it is there.
    pub(crate) configured: watch::Receiver<Arc<Configured>>,
    /// Why templates are not in force as they are now.
    pub(crate) templates_kept: Kept,
}

impl Reloader {
    /// Follows the files until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), Failure> {
        let mut hangups = signal(SignalKind::hangup())?;
        self.look_at_helpers();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watches = self.project.settings.rules.watch;
        loop {
            let asked = tokio::select! {
                () = shutdown.draining() => return Ok(()),
                () = hung_up(&mut hangups) => true,
                () = changed(&mut self.configured), if self.checks_rules => true,
                _ = looks.tick(), if watches => false,
            };
            // A reload that takes long must not hold up the end.
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                () = self.follow(asked) => {}
            }
        }
    }

    async fn follow(&mut self, asked: bool) {
        let newer = snapshot(&self.files.paths).await;
        let changes = self.files.seen.changes(&newer);
        if changes.is_empty() && !asked {
            return;
        }
        self.files.seen = rested(&self.files.paths, newer).await;
        for path in &changes {
            tracing::info!(file = %path.display(), "changed");
        }
        self.reload().await;
        self.look_at_helpers();
    }

    async fn reload(&self) {
        let project = self.project.clone();
        let checks = self.checks_rules;
        let Some(templates) = templates(&project.python_dirs().publishers, &self.templates_kept) else {
            return;
        };
        let templates = Arc::new(templates);
        let tried = templates.clone();
        let configured = self.configured.borrow().clone();
        let reloaded = self.runtime.reload_if(move |report| {
            if !checks {
                return Ok(());
            }
            let problems = assembly::cross_check_of(&project, &configured, report, &tried);
            let errors = problems.iter().filter(|problem| problem.is_error());
            let told: Vec<String> = errors.map(ToString::to_string).collect();
            if told.is_empty() {
                Ok(())
            } else {
                Err(told.join("; "))
            }
        });
        let reloaded = reloaded.await;
        if reloaded.is_ok() {
            self.project.presentation.templates.put(templates);
        }
        match reloaded {
            Ok(report) if report.changed => {
                let changed: Vec<&str> = report.rules_changed.iter().map(|rule| &**rule).collect();
                let rules = report.report.rules.rules().len();
                tracing::info!(version = %report.version, rules, changed = changed.join(" "), "rules loaded again");
            }
            Ok(_) => tracing::info!("rules are as they were"),
            Err(StartError::Kept { reason }) => {
                tracing::error!("rules are not loaded again, those that run are kept: {reason}");
            }
            Err(error) => tracing::error!("rules are not loaded again, those that run are kept: {error}"),
        }
    }

    /// Helpers that rules import from elsewhere in the project are looked at from now on.
    fn look_at_helpers(&mut self) {
        let generation = self.runtime.current();
        let Some(engine) = generation.engine() else { return };
        let Ok(root) = crate::python::repo_root(&self.project.python_dirs().rules) else {
            return;
        };
        let below = |path: &Path| self.files.paths.iter().any(|known| is_below(path, known));
        let helpers: Vec<PathBuf> = engine
            .program()
            .files
            .iter()
            .map(|file| root.join(&**file))
            .filter(|path| path.is_file() && path.starts_with(&root) && !below(path))
            .collect();
        if helpers.is_empty() {
            return;
        }
        let now = Snapshot::of(&helpers);
        self.files.seen.extend(now);
        self.files.paths.extend(helpers);
    }
}

/// The templates as they are now, if nothing is wrong with them; `kept` says so otherwise.
fn templates(dirs: &[PathBuf], kept: &Kept) -> Option<Templates> {
    let (templates, problems) = crate::publishers::templates(dirs);
    if problems.is_empty() {
        kept.set(None);
        return Some(templates);
    }
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let told = told.join("; ");
    tracing::error!("templates and rules are not loaded again, those that run are kept: {told}");
    kept.set(Some(told));
    None
}

/// Waits until nothing changes any more.
async fn rested(paths: &[PathBuf], mut last: Snapshot) -> Snapshot {
    for _ in 0..RESTS_MAX {
        tokio::time::sleep(REST).await;
        let next = snapshot(paths).await;
        if next == last {
            break;
        }
        last = next;
    }
    last
}

async fn snapshot(paths: &[PathBuf]) -> Snapshot {
    let paths = paths.to_vec();
    let look = tokio::task::spawn_blocking(move || Snapshot::of(&paths));
    look.await.unwrap_or_default()
}

/// The next change of what is configured of outputs; never, when there can be none.
async fn changed(configured: &mut watch::Receiver<Arc<Configured>>) {
    if configured.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn is_below(path: &Path, folder: &Path) -> bool {
    folder.canonicalize().is_ok_and(|folder| path.starts_with(folder))
}

/// The next SIGHUP; never, when there can be none.
async fn hung_up(signals: &mut Signal) {
    if signals.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_are_not_loaded_again_are_told_until_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let file = dir.path().join("ticket.j2");
        let kept = Kept::default();
        std::fs::write(&file, r#"{"title": {{ alert.rule_name "#).unwrap();
        assert!(templates(&dirs, &kept).is_none());
        let reason = kept.reason().unwrap();
        assert!(reason.contains("ticket.j2"), "{reason}");
        std::fs::write(&file, r#"{"title": "one"}"#).unwrap();
        assert!(templates(&dirs, &kept).is_some());
        assert_eq!(kept.reason(), None);
    }
}
