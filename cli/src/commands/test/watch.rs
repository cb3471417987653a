use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_types::Clock;
use tokio::time::Instant;

use super::folders;
use super::live::Live;
use crate::args::{Global, Test};
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::Snapshot;
use crate::{assembly, paint};

/// How often files are looked at, unless looking takes long.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looking takes at most one in so many parts of the time.
const LOOK_SHARE: u32 = 10;

/// How long changed files must rest before a run: editors write in several steps.
const REST: Duration = Duration::from_millis(15);

/// Rests that are waited for: a file that is written all the time is run as it is.
const RESTS_MAX: u32 = 100;

/// Runs the tests, and what a change touches whenever one is made; never ends by itself.
pub(super) async fn watch(global: &Global, args: &Test) -> Result<(), Failure> {
    let clock = assembly::clock();
    let mut folders = paths(global, args);
    let mut paths = folders.clone();
    let mut seen = Snapshot::of(&paths);
    let mut live = everything(global, args, &clock, Instant::now()).await;
    let mut pause = LOOK_EVERY;
    let mut helpers = BTreeSet::new();
    loop {
        // Rules may import other files now, and the configuration name other folders.
        // One that is gone may come back.
        helpers.extend(live.iter().flat_map(|live| live.helpers(&folders)));
        let wanted: Vec<PathBuf> = folders.iter().chain(&helpers).cloned().collect();
        if wanted != paths {
            seen = merged(seen, &wanted);
            // Those that were written since they were loaded, before anybody looked at them.
            for path in wanted
                .iter()
                .filter(|path| helpers.contains(*path) && !paths.contains(path))
            {
                if live.as_ref().is_some_and(|live| live.is_stale(path)) {
                    seen.forget(path);
                }
            }
            paths = wanted;
        }
        let (changes, noticed) = changed(&mut seen, &paths, &mut pause, &mut live, args).await;
        clear(args);
        for path in &changes {
            anstream::eprintln!("{} {}", paint::in_style(paint::DIM, "changed:"), path.display());
        }
        let change = live.as_mut().and_then(|live| live.take_in(args, &changes));
        match (&mut live, change) {
            (Some(live), Some(change)) => {
                let (count, answer) = live.run_change(args, &change).await;
                tell(count, answer, "what the change touches", noticed);
            }
            _ => {
                // Its workers end first.
                drop(live.take());
                live = everything(global, args, &clock, noticed).await;
                folders = self::paths(global, args);
            }
        }
    }
}

/// Waits for a change of files; answers them and the moment when it was noticed.
async fn changed(
    seen: &mut Snapshot,
    paths: &[PathBuf],
    pause: &mut Duration,
    live: &mut Option<Live>,
    args: &Test,
) -> (BTreeSet<PathBuf>, Instant) {
    loop {
        tokio::time::sleep(*pause).await;
        let noticed = Instant::now();
        let mut newer = Snapshot::of(paths);
        *pause = LOOK_EVERY.max(noticed.elapsed() * LOOK_SHARE);
        if newer != *seen {
            let changes = seen.changes(&newer);
            rest(&mut newer, &changes).await;
            *seen = newer;
            return (changes, noticed);
        }
        if let Some(live) = live
            && let Some((count, answer)) = live.checked(args).await
        {
            tell(count, answer, "what the change touches", noticed);
        }
    }
}

/// Loads and runs everything; `None` when it cannot be loaded.
async fn everything(global: &Global, args: &Test, clock: &Arc<dyn Clock>, noticed: Instant) -> Option<Live> {
    let (live, count, answer) = match Box::pin(Live::open(global, args, clock)).await {
        Ok(mut live) => {
            let (count, answer) = live.run_everything(args).await;
            (Some(live), count, answer)
        }
        Err(failure) => (None, 0, Err(failure)),
    };
    tell(count, answer, "everything", noticed);
    live
}

/// What came of a run; what fails is told and no reason to end. The time is from the moment the change was noticed.
fn tell(count: usize, answer: Result<(), Failure>, what: &str, noticed: Instant) {
    match answer {
        Ok(()) | Err(Failure::Told) => {}
        Err(Failure::Problems(problems)) => problems.iter().for_each(paint::problem),
        Err(Failure::Other(message)) => {
            anstream::eprintln!("{} {message}", paint::in_style(paint::BAD, "error:"));
        }
    }
    let tests = if count == 1 { "test" } else { "tests" };
    let took = noticed.elapsed().as_millis();
    let line = format!("ran {what}: {count} {tests}, {took} ms; waiting for changes, Ctrl-C ends");
    anstream::eprintln!("{}", paint::in_style(paint::DIM, line));
}

/// Waits until the changed files do not change any more.
async fn rest(newer: &mut Snapshot, changes: &BTreeSet<PathBuf>) {
    for _ in 0..RESTS_MAX {
        tokio::time::sleep(REST).await;
        if newer.look_again(changes) {
            return;
        }
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

/// Clears the screen, where there is one.
fn clear(args: &Test) {
    if std::io::stdout().is_terminal() && !args.json {
        anstream::print!("\u{1b}[2J\u{1b}[H");
    }
}
