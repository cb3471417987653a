use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamalert_detect::RuleRuntime;
use streamalert_python::LoadReport;
use streamalert_runtime::Runtime;
use streamalert_types::Clock;

use crate::args::{Global, Test};
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::{Kept, RuleBook, Runner, Targets, Touched};
use crate::{assembly, python};

mod live;
mod session;
mod watch;

use session::Session;

/// Runs test events and says how many passed.
pub(crate) async fn run(global: &Global, args: &Test) -> Result<(), Failure> {
    if args.watch {
        return watch::watch(global, args).await;
    }
    let (with_rules, asked) = mode(args)?;
    let project = Arc::new(Project::load(global)?);
    let targets = Targets::of(asked, &folders(&project)).map_err(Failure::Other)?;
    let clock = assembly::clock();
    let loaded = if with_rules {
        Some(python::start(&project, Some(1), clock.clone()).await?)
    } else {
        None
    };
    let runtime = loaded.as_ref().map(|(runtime, _)| runtime.clone());
    let rules = loaded.map(|(runtime, report)| {
        let book = book(&project, &runtime, &report);
        (runtime, book)
    });
    let answer = match Runner::new(project, rules, &clock) {
        Ok(mut runner) => {
            let mut session = Session::new(&mut runner, args, &clock);
            session
                .run(&targets, &Touched::Everything, &mut Kept::default())
                .await
        }
        Err(failure) => Err(failure),
    };
    if let Some(runtime) = runtime {
        runtime.shutdown().await;
    }
    answer
}

/// Whether rules are run, and what else was asked for.
fn mode(args: &Test) -> Result<(bool, &[String]), Failure> {
    match args.what.split_first() {
        Some((mode, rest)) if mode == "classifier" => Ok((false, rest)),
        Some((mode, rest)) if mode == "rules" => Ok((true, rest)),
        Some((mode, _)) if mode == "live" => {
            let fix =
                "`streamalert ingest` sends alerts of real logs, `streamalert test rules` only makes them";
            Err(Failure::Other(format!(
                "test events are never sent to outputs; {fix}"
            )))
        }
        _ => Ok((true, args.what.as_slice())),
    }
}

/// Where test events are when nothing else is asked for: beside the rules, and where StreamAlert had them before.
pub(crate) fn folders(project: &Project) -> Vec<PathBuf> {
    let root = project.conf.dir.parent().unwrap_or(Path::new(""));
    let mut folders = project.python_dirs().rules;
    folders.push(root.join("tests/integration"));
    folders
}

fn book(project: &Project, runtime: &Runtime, report: &LoadReport) -> RuleBook {
    RuleBook {
        rules: runtime.rules(),
        load_errors: assembly::load_errors(project, report),
    }
}

fn now_secs(clock: &Arc<dyn Clock>) -> i64 {
    clock.now().as_micros().div_euclid(1_000_000)
}
