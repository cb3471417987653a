use std::path::{Path, PathBuf};

use crate::args::{Bench, BenchCorpus, BenchMake, BenchMix, BenchRules, Compare, Global, Stage};
use crate::assembly;
use crate::bench::{self, CorpusOptions, Inputs, Mix, Plan, Report, RuleSetOptions};
use crate::failure::Failure;
use crate::paint;
use crate::project::{Project, load_settings};
use crate::python;
use streamalert_runtime::{Runtime, RuntimeOptions};

const NO_PROJECT: &str =
    "no project here: pass one with -C DIR, such as -C examples/quickstart, or --conf DIR and --rules DIR";

/// Stages that are measured when none is named. Those of rules take long and need rules, so only the first.
const STAGES: [Stage; 4] = [Stage::Classify, Stage::Rules, Stage::Merge, Stage::Store];

/// Measures this machine, stage by stage, each told as soon as it is known; or makes what to measure with.
pub(crate) async fn run(global: &Global, args: &Bench) -> Result<(), Failure> {
    match &args.make {
        Some(BenchMake::Corpus(options)) => return corpus(options).await,
        Some(BenchMake::RulesGenerate(options)) => return rules_generate(options).await,
        None => {}
    }
    let stages = args
        .stage
        .as_ref()
        .map_or(STAGES.as_slice(), std::slice::from_ref);
    if cfg!(debug_assertions) {
        let note =
            "note: this is a build without optimisation, many times slower; measure one made with --release";
        anstream::eprintln!("{}", paint::in_style(paint::ODD, note));
    }
    for stage in stages {
        let report = match stage {
            Stage::Classify => {
                let inputs = args.input.clone();
                let events = args.events;
                apart(move || bench::classify(&Inputs::load(inputs.as_deref())?.at_most(events))).await?
            }
            Stage::Rules => rules(global, args, bench::Path::Rules).await?,
            Stage::All => rules(global, args, bench::Path::Whole).await?,
            Stage::Reload => reload(global, args).await?,
            Stage::Apart => {
                let Some((global, _made)) = with_conf(global)? else {
                    return Err(Failure::Other(NO_PROJECT.to_owned()));
                };
                let inputs = Inputs::load(args.input.as_deref())?.at_most(args.events);
                let once = args.events.is_some();
                bench::apart(&global, &Project::load(&global)?, inputs, args.passes, once).await?
            }
            Stage::Latency => {
                let own = tempfile::tempdir()?;
                let (global, _made) = match with_conf(global)? {
                    Some(found) => found,
                    None => (without_project(global, own.path())?, None),
                };
                bench::latency(&global, &Project::load(&global)?, args.seconds).await?
            }
            Stage::Merge => {
                let keys = args.keys.clone();
                apart(move || bench::merge(&keys)).await?
            }
            Stage::Lanes => {
                let (parent, passes) = (disk(global), args.passes);
                apart(move || bench::lanes(&parent, passes)).await?
            }
            Stage::OpenGroups => {
                let open = args.keys.clone();
                apart(move || bench::open_groups(&open)).await?
            }
            Stage::Takeover => bench::takeover(&disk(global)).await?,
            Stage::Store => bench::store(&disk(global)).await?,
            Stage::Deliver => {
                let (parent, passes) = (disk(global), args.passes);
                apart(move || bench::deliver(&parent, passes)).await?
            }
            Stage::OutputsDown => bench::outputs_down(&disk(global), args.seconds).await?,
        };
        tell(args.json, &report);
    }
    Ok(())
}

/// Where stores are made. Never the one that the user works with: a folder of its own beside it, on the same disk.
fn disk(global: &Global) -> PathBuf {
    global.data_dir.clone().unwrap_or_else(std::env::temp_dir)
}

/// Runs what computes for long on a thread of its own, whose time is then its time.
async fn apart(work: impl FnOnce() -> Result<Report, Failure> + Send + 'static) -> Result<Report, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::while_doing("a measurement ended", error))?
}

async fn corpus(options: &BenchCorpus) -> Result<(), Failure> {
    let (seed, events, input, out) = (
        options.seed,
        options.events,
        options.input.clone(),
        options.out.clone(),
    );
    let mix = match options.mix {
        BenchMix::Cloudtrail => Mix::Cloudtrail,
        BenchMix::Typical => Mix::Typical,
    };
    let report = apart(move || {
        let options = CorpusOptions {
            seed,
            events,
            mix,
            input: input.as_deref(),
        };
        bench::corpus(&options, &out)
    })
    .await?;
    tell(options.json, &report);
    Ok(())
}

async fn rules_generate(options: &BenchRules) -> Result<(), Failure> {
    let told = RuleSetOptions {
        seed: options.seed,
        rules: options.count,
        cloudtrail: options.cloudtrail,
    };
    let out = options.out.clone();
    let report = apart(move || bench::rule_set(&told, &out)).await?;
    tell(options.json, &report);
    Ok(())
}

async fn reload(global: &Global, args: &Bench) -> Result<Report, Failure> {
    let Some((global, _made)) = with_conf(global)? else {
        return Err(Failure::Other(NO_PROJECT.to_owned()));
    };
    let project = Project::load(&global)?;
    let inputs = Inputs::load(args.input.as_deref())?.at_most(args.events);
    let options = python::runtime_options(&project, Some(1), assembly::clock())?;
    bench::reload(&project, inputs, options, args.passes).await
}

async fn rules(global: &Global, args: &Bench, path: bench::Path) -> Result<Report, Failure> {
    let stage = if path == bench::Path::Whole {
        "all"
    } else {
        "rules"
    };
    let missing = |reason: &str| match args.stage {
        // Rules that were asked for must be there; among all stages they may be missing.
        Some(_) => Err(Failure::Other(reason.to_owned())),
        None => Ok(Report::skipped(stage, reason)),
    };
    let Some((global, _made)) = with_conf(global)? else {
        return missing(NO_PROJECT);
    };
    let project = Project::load(&global)?;
    if !project.python_dirs().rules.iter().any(|dir| dir.exists()) {
        return missing("the project has no rules: pass them with --rules DIR");
    }
    let inputs = Inputs::load(args.input.as_deref())?.at_most(args.events);
    let options = python::options(&project, Some(usize::from(args.threads)), assembly::clock())?;
    let interpreter = streamalert_python::find_interpreter(options.interpreter.as_deref())
        .await
        .map_err(|error| Failure::while_doing("cannot run python", error))?;
    let plan = Plan {
        path,
        passes: args.passes,
        compare: args.compare == Some(Compare::Cpython),
        interpreter: interpreter.path,
        options,
    };
    let (runtime, report) = Runtime::start(RuntimeOptions::new(plan.options.clone()))
        .await
        .map_err(|error| Failure::while_doing("cannot load rules", error))?;
    for error in &report.errors {
        tracing::error!(file = %error.file.display(), line = error.line, "not loaded: {}", error.message);
    }
    let engines = bench::engines(&runtime, args.threads);
    let report = apart(move || bench::rules(&plan, &project, &inputs, engines)).await;
    runtime.shutdown().await;
    report
}

/// Rules that come without a project are measured with the configuration beside them, or with none but what is
/// built in. `None`: there is neither project nor rules. The folder that comes with the answer is to be kept.
fn with_conf(global: &Global) -> Result<Option<(Global, Option<tempfile::TempDir>)>, Failure> {
    if load_settings(global)?.conf.dir.is_dir() || global.conf.is_some() {
        return Ok(Some((global.clone(), None)));
    }
    let Some(rules) = global.rules.first() else {
        return Ok(None);
    };
    let mut global = global.clone();
    let rules = std::path::absolute(rules)?;
    if let Some(conf) = conf_beside(&rules) {
        global.conf = Some(conf);
        return Ok(Some((global, None)));
    }
    let made = tempfile::tempdir()?;
    let root = rules.parent().unwrap_or(&rules);
    let matchers = root.join("matchers");
    let matchers = if matchers.is_dir() {
        vec![matchers.display().to_string()]
    } else {
        Vec::new()
    };
    let general = serde_json::json!({"general": {"matcher_locations": matchers}});
    std::fs::write(made.path().join("global.json"), general.to_string())?;
    std::fs::write(made.path().join("outputs.json"), "{}")?;
    global.conf = Some(made.path().to_owned());
    Ok(Some((global, Some(made))))
}

/// A project of nothing, in `dir`: what is measured brings its own rule.
fn without_project(global: &Global, dir: &Path) -> Result<Global, Failure> {
    std::fs::write(dir.join("global.json"), r#"{"general": {"rule_locations": []}}"#)?;
    std::fs::write(dir.join("outputs.json"), "{}")?;
    let mut global = global.clone();
    global.conf = Some(dir.to_owned());
    Ok(global)
}

/// The nearest `conf` folder on the way up from the rules, at most as far as the one that holds `rules`.
fn conf_beside(rules: &Path) -> Option<PathBuf> {
    let named_rules = |dir: &&Path| dir.file_name().is_some_and(|name| name == "rules");
    let root = rules
        .ancestors()
        .find(named_rules)
        .and_then(Path::parent)
        .or_else(|| rules.parent());
    [Some(rules), root]
        .into_iter()
        .flatten()
        .map(|dir| dir.join("conf"))
        .find(|conf| conf.is_dir())
}

fn tell(json: bool, report: &Report) {
    if json {
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
