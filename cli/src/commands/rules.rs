use streamalert_detect::RuleIndex;
use streamalert_value::Value;

use crate::args::{self, Global};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;
use crate::{assembly, paint, python};

mod explain;
mod lint;
mod new;
mod stats;
mod stubs;

use explain::Native;
pub(crate) use lint::registered_publishers;

/// `rules list|explain|stats|new|lint|stubs`
pub(crate) async fn run(global: &Global, args: &args::Rules) -> Result<(), Failure> {
    match args {
        args::Rules::List { json } => list(global, *json).await,
        args::Rules::Stats { json } => stats::run(global, *json).await,
        args::Rules::Explain { rule, json } => explain::run(global, rule, *json).await,
        args::Rules::New(args) => new::run(global, args).await,
        args::Rules::Lint(args) => lint::run(global, args),
        args::Rules::Stubs { dir } => stubs::run(dir),
    }
}

async fn list(global: &Global, json: bool) -> Result<(), Failure> {
    let project = Project::load(global)?;
    let (runtime, report) = python::start(&project, Some(1), assembly::clock()).await?;
    let generation = runtime.current();
    runtime.shutdown().await;
    for (index, rule) in (0..).map(RuleIndex).zip(report.rules.rules()) {
        let native = Native::of(&generation, index).word();
        let logs: Vec<&str> = rule.logs.iter().flatten().map(|log| &**log).collect();
        let outputs: Vec<&str> = rule.outputs.iter().map(|output| output.as_str()).collect();
        let state = if rule.disabled {
            "disabled"
        } else if rule.staged {
            "staged"
        } else {
            "enabled"
        };
        if json {
            let list = |items: &[&str]| Value::List(items.iter().map(|item| text(item)).collect());
            let row = object([
                ("rule", text(&rule.name)),
                ("state", text(state)),
                ("native", text(native)),
                (
                    "logs",
                    if rule.logs.is_some() {
                        list(&logs)
                    } else {
                        Value::Null
                    },
                ),
                (
                    "datatypes",
                    list(&rule.datatypes.iter().map(String::as_str).collect::<Vec<_>>()),
                ),
                ("outputs", list(&outputs)),
                (
                    "merge_by_keys",
                    list(&rule.merge_by_keys.iter().map(String::as_str).collect::<Vec<_>>()),
                ),
                ("merge_window_mins", integer(u64::from(rule.merge_window_mins))),
                ("merge_send_first", Value::Bool(rule.merge_send_first)),
                ("file", text(&rule.file.display().to_string())),
                ("line", integer(u64::from(rule.line))),
            ]);
            println!("{}", row.to_json());
        } else {
            let logs = if rule.logs.is_some() {
                logs.join(" ")
            } else {
                format!("(every log type with {})", rule.datatypes.join(" or "))
            };
            let place = format!("{}:{}", rule.file.display(), rule.line);
            let name = paint::in_style(paint::HEAD, &rule.name);
            anstream::println!(
                "{name} {state} {native}\n  {logs} -> {}\n  {}",
                outputs.join(" "),
                paint::in_style(paint::DIM, place)
            );
        }
    }
    for error in &report.errors {
        anstream::eprintln!("{} {error}", paint::in_style(paint::BAD, "not loaded:"));
    }
    if report.errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}
