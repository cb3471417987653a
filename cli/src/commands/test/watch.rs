use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::{folders, once};
use crate::args::{Global, Test};
use crate::failure::Failure;
use crate::paint;
use crate::project::Project;
use crate::testing::{Snapshot, Targets, Touched, functions, touched};

/// How often files are looked at, and how long they must rest before a run: editors write in several steps.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the tests, and what a change touches whenever one is made; never ends by itself.
pub(super) async fn watch(global: &Global, args: &Test) -> Result<(), Failure> {
    let mut paths = paths(global, args);
    let mut seen = Snapshot::of(&paths);
    let mut rules = Rules::default();
    rules.read(&seen_python(global));
    run(global, args, &Touched::Everything).await?;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let newer = Snapshot::of(&paths);
        if newer == seen {
            continue;
        }
        let newer = rest(newer, &paths).await;
        let changes = seen.changes(&newer);
        seen = newer;
        let events = event_files(global, args);
        let touched = touched(&changes, &events, |path| rules.changed(path));
        clear(args);
        for path in &changes {
            anstream::eprintln!("{} {}", paint::in_style(paint::DIM, "changed:"), path.display());
        }
        run(global, args, &touched).await?;
        // The configuration may name other folders now.
        paths = self::paths(global, args);
        seen = merged(seen, &paths);
    }
}

/// One run; what fails is told and no reason to end.
async fn run(global: &Global, args: &Test, touched: &Touched) -> Result<(), Failure> {
    let started = Instant::now();
    match Box::pin(once(global, args, touched)).await {
        Ok(()) | Err(Failure::Told) => {}
        Err(Failure::Problems(problems)) => problems.iter().for_each(paint::problem),
        Err(Failure::Other(message)) => {
            anstream::eprintln!("{} {message}", paint::in_style(paint::BAD, "error:"));
        }
    }
    let took = started.elapsed().as_millis();
    let what = match touched {
        Touched::Everything => "everything",
        Touched::Only { .. } => "what the change touches",
    };
    let line = format!("ran {what} in {took} ms; waiting for changes, Ctrl-C ends");
    anstream::eprintln!("{}", paint::in_style(paint::DIM, line));
    Ok(())
}

/// Waits until nothing changes any more.
async fn rest(mut last: Snapshot, paths: &[PathBuf]) -> Snapshot {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let next = Snapshot::of(paths);
        if next == last {
            return next;
        }
        last = next;
    }
}

/// The state of files that are looked at from now on is how they are; of the others, how they were before the run, so
/// that an edit during the run is seen.
fn merged(seen: Snapshot, paths: &[PathBuf]) -> Snapshot {
    let now = Snapshot::of(paths);
    now.with_known(seen)
}

/// All that tests hang on. While the configuration cannot be read, itself and what was named.
fn paths(global: &Global, args: &Test) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = args
        .what
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect();
    paths.push(
        global
            .config
            .clone()
            .unwrap_or_else(|| PathBuf::from("streamalert.toml")),
    );
    match Project::load(global) {
        Ok(project) => {
            let dirs = project.python_dirs();
            paths.push(project.conf.dir.clone());
            paths.extend(dirs.matchers.into_iter().chain(dirs.publishers));
            paths.extend(
                project
                    .settings
                    .lookup_tables
                    .values()
                    .map(|table| table.path.clone()),
            );
            paths.extend(folders(&project));
        }
        Err(_) => paths.extend(["conf", "rules", "matchers", "publishers"].map(PathBuf::from)),
    }
    paths
}

fn event_files(global: &Global, args: &Test) -> BTreeSet<PathBuf> {
    let Ok(project) = Project::load(global) else {
        return BTreeSet::new();
    };
    let asked: Vec<String> = args
        .what
        .iter()
        .filter(|word| Path::new(word).exists())
        .cloned()
        .collect();
    let targets = Targets::of(&asked, &folders(&project)).unwrap_or_default();
    targets.files.into_iter().collect()
}

fn seen_python(global: &Global) -> Vec<PathBuf> {
    let Ok(project) = Project::load(global) else {
        return Vec::new();
    };
    let dirs = project.python_dirs().rules;
    dirs.iter()
        .flat_map(|dir| crate::commands::rules::python_files(dir))
        .collect()
}

/// The functions of each rule's file, as they were last seen.
#[derive(Default)]
struct Rules {
    files: BTreeMap<PathBuf, (BTreeSet<String>, bool)>,
}

impl Rules {
    fn read(&mut self, files: &[PathBuf]) {
        for file in files {
            _ = self.changed(file);
        }
    }

    /// The functions before and now of a file that has rules; `None` of others, such as helpers, which any rule may
    /// use.
    fn changed(&mut self, file: &Path) -> Option<BTreeSet<String>> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let now: BTreeSet<String> = functions(&text).map(str::to_owned).collect();
        let has_rules = text.contains("@rule");
        let (before, had_rules) = self
            .files
            .insert(file.to_owned(), (now.clone(), has_rules))
            .unwrap_or_default();
        (has_rules || had_rules).then(|| before.union(&now).cloned().collect())
    }
}

/// Clears the screen, where there is one.
fn clear(args: &Test) {
    if std::io::stdout().is_terminal() && !args.json {
        anstream::print!("\u{1b}[2J\u{1b}[H");
    }
}
