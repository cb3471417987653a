use crate::args::{Bench, Global, Stage};
use crate::assembly;
use crate::bench::{self, Inputs, Report};
use crate::failure::Failure;
use crate::paint;
use crate::project::{Project, load_settings};

/// Measures this machine, stage by stage; each is told as soon as it is known.
pub(crate) async fn run(global: &Global, args: &Bench) -> Result<(), Failure> {
    let wanted = |stage: Stage| args.stage == Stage::All || args.stage == stage;
    if wanted(Stage::Classify) {
        let path = args.input.clone();
        let report = apart(move || bench::classify(&Inputs::load(path.as_deref())?)).await?;
        tell(args, &report);
    }
    if wanted(Stage::Rules) {
        tell(args, &rules(global, args).await?);
    }
    if wanted(Stage::Merge) {
        let keys = args.keys.clone();
        tell(args, &apart(move || bench::merge(&keys)).await?);
    }
    if wanted(Stage::Store) {
        // Never the store that the user works with: a folder of its own beside it, on the same disk.
        let parent = global.data_dir.clone().unwrap_or_else(std::env::temp_dir);
        tell(args, &bench::store(&parent).await?);
    }
    Ok(())
}

/// Runs what computes for long on a thread of its own, whose time is then its time.
async fn apart(work: impl FnOnce() -> Result<Report, Failure> + Send + 'static) -> Result<Report, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::while_doing("a measurement ended", error))?
}

async fn rules(global: &Global, args: &Bench) -> Result<Report, Failure> {
    let locations = load_settings(global)?.conf;
    let no_project = "no project here: pass one with -C DIR, such as -C examples/quickstart, or --conf DIR and --rules DIR";
    if !locations.dir.is_dir() {
        return missing(args, no_project);
    }
    let project = Project::load(global)?;
    if !project.python_dirs().rules.iter().any(|dir| dir.exists()) {
        return missing(args, "the project has no rules: pass them with --rules DIR");
    }
    let inputs = Inputs::load(args.input.as_deref())?;
    let (pool, _) = assembly::load_rules(&project, Some(1), assembly::clock()).await?;
    let report = bench::rules(&project, &pool, &inputs).await;
    pool.shutdown().await;
    report
}

/// Rules that were asked for must be there; among all stages they may be missing.
fn missing(args: &Bench, reason: &str) -> Result<Report, Failure> {
    if args.stage == Stage::Rules {
        return Err(Failure::Other(reason.to_owned()));
    }
    Ok(Report::skipped("rules", reason))
}

fn tell(args: &Bench, report: &Report) {
    if args.json {
        println!("{}", report.json.to_json());
        return;
    }
    let mut lines = report.lines.iter();
    if let Some(first) = lines.next() {
        anstream::println!("{}", paint::in_style(paint::HEAD, first));
    }
    for line in lines {
        anstream::println!("{line}");
    }
}
