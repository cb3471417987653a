//! What stays between the runs of `test --watch`: the project, the rules, the events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_python::{LoadError, LoadReport};
use streamalert_runtime::{Drafts, Reach, Runtime};
use streamalert_types::Clock;
use tokio::task::JoinHandle;

use super::session::Session;
use super::{book, folders, mode};
use crate::args::{Global, Test};
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::{Kept, RuleBook, Runner, Targets, Touched};
use crate::{assembly, paint, python};

/// A project with its rules loaded.
pub(super) struct Live {
    project: Arc<Project>,
    runner: Runner,
    rules: Option<Rules>,
    targets: Targets,
    kept: Kept,
    clock: Arc<dyn Clock>,
}

struct Rules {
    /// As CPython loaded them, or as they were loaded where there is none.
    loaded: Runtime,
    report: LoadReport,
    drafts: Drafts,
    /// Files that changed since, and all that import them.
    edited: BTreeSet<String>,
    /// CPython loads what has been tried natively.
    checking: Option<Checking>,
}

struct Checking {
    load: JoinHandle<Result<(Runtime, LoadReport), Failure>>,
    /// What was run with the draft.
    touched: Touched,
}

impl Live {
    /// Loads everything.
    pub(super) async fn open(global: &Global, args: &Test, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let (with_rules, asked) = mode(args)?;
        let project = Arc::new(Project::load(global)?);
        let targets = Targets::of(asked, &folders(&project)).map_err(Failure::Other)?;
        let rules = if with_rules {
            let (loaded, report) = python::start(&project, Some(1), clock.clone()).await?;
            loaded.warm();
            let drafts = Drafts::read(&loaded)
                .await
                .map_err(|error| Failure::while_doing("cannot read rules", error))?;
            Some(Rules {
                loaded,
                report,
                drafts,
                edited: BTreeSet::new(),
                checking: None,
            })
        } else {
            None
        };
        let known = rules
            .as_ref()
            .map(|rules| (rules.loaded.clone(), book(&project, &rules.loaded, &rules.report)));
        Ok(Self {
            runner: Runner::new(project.clone(), known, clock)?,
            project,
            rules,
            targets,
            kept: Kept::default(),
            clock: clock.clone(),
        })
    }

    /// Python files outside of the given folders that rules import.
    pub(super) fn helpers(&self, folders: &[PathBuf]) -> Vec<PathBuf> {
        let folders: Vec<PathBuf> = folders
            .iter()
            .filter_map(|folder| folder.canonicalize().ok())
            .collect();
        let mut files = self
            .rules
            .as_ref()
            .map(|rules| rules.drafts.files())
            .unwrap_or_default();
        files.retain(|file| !folders.iter().any(|folder| file.starts_with(folder)));
        files
    }

    /// Whether a file that rules import is another than was loaded.
    pub(super) fn is_stale(&self, path: &Path) -> bool {
        let rules = self.rules.as_ref();
        rules.is_some_and(|rules| !rules.drafts.is_current(path))
    }

    /// Runs everything; answers how many events that were.
    pub(super) async fn run_everything(&mut self, args: &Test) -> (usize, Result<(), Failure>) {
        self.run(args, &Touched::Everything).await
    }

    async fn run(&mut self, args: &Test, touched: &Touched) -> (usize, Result<(), Failure>) {
        let mut session = Session::new(&mut self.runner, args, &self.clock);
        let answer = session.run(&self.targets, touched, &mut self.kept).await;
        (session.count_run(), answer)
    }

    /// Takes note of changed files; `None` when one of them may matter to more than tests and rules.
    pub(super) fn take_in(&mut self, args: &Test, changes: &BTreeSet<PathBuf>) -> Option<Change> {
        let (_, asked) = mode(args).ok()?;
        let targets = Targets::of(asked, &folders(&self.project)).ok()?;
        let mut change = Change::default();
        for path in changes {
            let plain: PathBuf = path.components().collect();
            let is_test = |targets: &Targets| targets.files.contains(&plain) || targets.files.contains(path);
            if is_test(&targets) || is_test(&self.targets) {
                self.kept.forget(&plain);
                self.kept.forget(path);
                change.events.insert(path.canonicalize().unwrap_or(plain));
            } else if path.extension().is_some_and(|extension| extension == "py")
                && let Some(rules) = &mut self.rules
                && let Reach::Files(files) = rules.drafts.changed(path)
            {
                change.rules.extend(files);
            } else {
                return None;
            }
        }
        self.targets = targets;
        Some(change)
    }

    /// Runs what a change touches: with the changed rules loaded natively where that is possible, which CPython checks
    /// afterwards, else with CPython's.
    pub(super) async fn run_change(&mut self, args: &Test, change: &Change) -> (usize, Result<(), Failure>) {
        let before = self.touched(change);
        if !change.rules.is_empty()
            && let Some(rules) = &mut self.rules
        {
            rules.stop_checking();
            rules.edited.extend(change.rules.iter().cloned());
        }
        let unfit = match self.draft().await {
            Ok(true) => {
                let touched = before.clone().with(self.touched(change));
                let mut session = Session::new(&mut self.runner, args, &self.clock).held();
                let answer = session.run(&self.targets, &touched, &mut self.kept).await;
                let count = session.count_run();
                match (self.runner.unfit(), answer) {
                    (Some(why), _) => why.to_owned(),
                    // Such as workers that find other files than they were to have loaded.
                    (None, Err(Failure::Other(why))) => why,
                    (None, answer) => {
                        self.check(touched);
                        return (count, answer);
                    }
                }
            }
            Ok(false) => return self.run(args, &before).await,
            Err(why) => why,
        };
        let line = format!("loading with CPython: {unfit}");
        anstream::eprintln!("{}", paint::in_style(paint::DIM, line));
        if let Err(failure) = self.load_again().await {
            return (0, Err(failure));
        }
        let touched = before.with(self.touched(change));
        self.run(args, &touched).await
    }

    /// The tests of the rules of changed files, and those of changed events.
    fn touched(&self, change: &Change) -> Touched {
        let mut files = change.events.clone();
        let mut names = BTreeSet::new();
        if let (Some(rules), Some(book)) = (&self.rules, self.runner.book()) {
            let beside = change.rules.iter().map(|name| rules.drafts.path(name));
            files.extend(beside.map(|path| path.with_extension("json")));
            names.extend(of_files(&book.rules, &change.rules).map(|rule| rule.name.to_string()));
        }
        Touched::Only { files, rules: names }
    }

    /// Has the changed rules loaded natively; false when none has changed.
    ///
    /// # Errors
    /// Why that cannot be.
    async fn draft(&mut self) -> Result<bool, String> {
        let Some(rules) = &mut self.rules else {
            return Ok(false);
        };
        if rules.edited.is_empty() {
            return Ok(false);
        }
        if !self.project.settings.rules.native {
            return Err("rules.native is false".to_owned());
        }
        let (draft, report) = rules
            .drafts
            .load(&rules.loaded, &rules.edited)
            .await
            .map_err(|error| error.to_string())?;
        if let Some(error) = report.errors.first() {
            return Err(error.to_string());
        }
        let old = of_files(&rules.report.rules, &rules.edited).map(|rule| rule.name.to_string());
        let new = report.rules.rules().iter().map(|rule| rule.name.to_string());
        let instead_of: BTreeSet<String> = old.chain(new).collect();
        let book = rules.with_draft(&self.project, &report)?;
        self.runner
            .set_draft(draft, instead_of, book, &self.clock)
            .map_err(|_| "the configuration has errors".to_owned())?;
        Ok(true)
    }

    /// Has CPython load what was tried natively, while nobody waits.
    fn check(&mut self, touched: Touched) {
        let Some(rules) = &mut self.rules else { return };
        let (project, clock) = (self.project.clone(), self.clock.clone());
        let load = tokio::spawn(async move { python::start(&project, Some(1), clock).await });
        rules.checking = Some(Checking { load, touched });
    }

    /// Once CPython has loaded what was tried natively: uses that, and runs the tests again if it is anything else than
    /// was tried. `None` while there is nothing to be done.
    pub(super) async fn checked(&mut self, args: &Test) -> Option<(usize, Result<(), Failure>)> {
        let rules = self.rules.as_mut()?;
        let checking = rules.checking.take_if(|checking| checking.load.is_finished())?;
        let (loaded, report) = match checking.load.await.ok()? {
            Ok(loaded) => loaded,
            Err(failure) => return Some((0, Err(failure))),
        };
        let tried = self.runner.book().cloned();
        let agrees = tried.is_some_and(|tried| agree(&self.project, &tried, &report));
        if let Err(failure) = self.put(loaded, report) {
            return Some((0, Err(failure)));
        }
        if agrees {
            return None;
        }
        let touched = self.all_touched(checking.touched);
        let line = "CPython loads these files differently:";
        anstream::eprintln!("{}", paint::in_style(paint::DIM, line));
        Some(self.run(args, &touched).await)
    }

    /// With the names of rules that only CPython found.
    fn all_touched(&self, touched: Touched) -> Touched {
        let Touched::Only { files, mut rules } = touched else {
            return touched;
        };
        if let Some(book) = self.runner.book() {
            let beside = |rule: &&Arc<RuleInfo>| {
                let known = self
                    .rules
                    .as_ref()
                    .map(|rules| rules.drafts.path(&rule.file.to_string_lossy()));
                known.is_some_and(|path| files.contains(&path.with_extension("json")))
            };
            let found = book.rules.rules().iter().filter(beside);
            rules.extend(found.map(|rule| rule.name.to_string()));
        }
        Touched::Only { files, rules }
    }

    async fn load_again(&mut self) -> Result<(), Failure> {
        let (loaded, report) = python::start(&self.project, Some(1), self.clock.clone()).await?;
        self.put(loaded, report)
    }

    fn put(&mut self, loaded: Runtime, report: LoadReport) -> Result<(), Failure> {
        let Some(rules) = &mut self.rules else {
            return Ok(());
        };
        loaded.warm();
        let book = book(&self.project, &loaded, &report);
        self.runner.set_rules(loaded.clone(), book, &self.clock)?;
        rules.report = report;
        rules.edited.clear();
        let before = std::mem::replace(&mut rules.loaded, loaded);
        tokio::spawn(async move { before.shutdown().await });
        Ok(())
    }
}

impl Rules {
    fn stop_checking(&mut self) {
        if let Some(checking) = self.checking.take() {
            checking.load.abort();
        }
    }

    /// The rules of the draft, and the others as they were loaded.
    fn with_draft(&self, project: &Project, draft: &LoadReport) -> Result<RuleBook, String> {
        let is_old = |file: &Path| !self.edited.contains(&*file.to_string_lossy());
        let kept = self.report.rules.rules().iter().filter(|rule| is_old(&rule.file));
        let rules = kept
            .chain(draft.rules.rules())
            .map(|rule| (**rule).clone())
            .collect();
        let errors = assembly::load_errors(project, &self.report).into_iter();
        let errors = errors.filter(|error| is_old(&error.file));
        // It knows only the publishers that these files name.
        let drafted = LoadReport {
            publishers: self.report.publishers.clone(),
            python_version: self.report.python_version.clone(),
            ..draft.clone()
        };
        let errors = errors.chain(
            assembly::load_errors(project, &drafted)
                .into_iter()
                .filter(|error| !is_old(&error.file)),
        );
        Ok(RuleBook {
            rules: Arc::new(RuleSet::new(rules).map_err(|error| error.to_string())?),
            load_errors: errors.collect(),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(rules) = &mut self.rules {
            rules.stop_checking();
            let loaded = rules.loaded.clone();
            tokio::spawn(async move { loaded.shutdown().await });
        }
    }
}

/// What changed, as far as tests are concerned.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Files of test events.
    events: BTreeSet<PathBuf>,
    /// Files with rules, below the repository.
    rules: BTreeSet<String>,
}

fn of_files<'a>(rules: &'a RuleSet, files: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Arc<RuleInfo>> {
    let wanted = |rule: &&Arc<RuleInfo>| files.contains(&*rule.file.to_string_lossy());
    rules.rules().iter().filter(wanted)
}

/// Whether CPython loaded what was tried.
fn agree(project: &Project, tried: &RuleBook, report: &LoadReport) -> bool {
    let plain = |rule: &RuleInfo| RuleInfo {
        code_hash: "".into(),
        description: "".into(),
        may_mutate: false,
        line: 0,
        ..rule.clone()
    };
    let rules = tried.rules.rules();
    let places = |errors: &[LoadError]| -> Vec<_> {
        let places = errors
            .iter()
            .map(|error| (error.file.clone(), error.message.clone()));
        let mut places: Vec<_> = places.collect();
        places.sort();
        places
    };
    places(&tried.load_errors) == places(&assembly::load_errors(project, report))
        && rules.len() == report.rules.rules().len()
        && rules.iter().all(|rule| {
            let known = report.rules.find(&rule.name);
            known.is_some_and(|(_, known)| plain(known) == plain(rule))
        })
}
