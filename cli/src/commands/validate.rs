use std::collections::BTreeSet;

use streamalert_config::{Known, Problem};
use streamalert_types::OutputName;

use crate::args::{Global, Validate};
use crate::assembly;
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;
use crate::{paint, python};

/// Checks configuration and rules, and prints every problem.
pub(crate) async fn run(global: &Global, args: &Validate) -> Result<(), Failure> {
    let (problems, ignored, summary) = match gather(global, args).await {
        Ok(found) => found,
        Err(Failure::Problems(problems)) => (problems, Vec::new(), String::new()),
        Err(other) => return Err(other),
    };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    for problem in &problems {
        if args.json {
            println!("{}", row(problem).to_json());
        } else {
            paint::problem(problem);
        }
    }
    if !args.json {
        for note in ignored {
            anstream::println!("{} {note}", paint::in_style(paint::DIM, "note:"));
        }
        let warnings = problems.len() - errors;
        let plural = |count| if count == 1 { "" } else { "s" };
        anstream::println!(
            "{summary}{errors} error{}, {warnings} warning{}",
            plural(errors),
            plural(warnings)
        );
    }
    if errors > 0 { Err(Failure::Told) } else { Ok(()) }
}

async fn gather(global: &Global, args: &Validate) -> Result<(Vec<Problem>, Vec<String>, String), Failure> {
    let project = Project::load(global)?;
    let clock = assembly::clock();
    let mut problems = Vec::new();
    let mut summary = format!("{} log types", project.schemas.log_types().count());
    if args.no_rules {
        let log_types: Vec<String> = project.schemas.log_types().map(ToString::to_string).collect();
        let publishers = crate::publishers::known(&project, None, &project.presentation.templates.get());
        let known = Known {
            log_types: &log_types,
            rules: &[],
            publishers: &publishers,
        };
        problems.extend(project.presentation.problems.iter().cloned());
        problems.extend(streamalert_config::validate(&project.conf, &project.settings, &known).problems);
    } else {
        let (runtime, report) = python::start(&project, Some(1), clock.clone()).await?;
        problems.extend(assembly::cross_check(&project, &report));
        for error in &report.errors {
            let mut place = streamalert_config::Place::of_file(error.file.display().to_string());
            place.line = error.line as usize;
            place.column = usize::from(error.line > 0);
            problems.push(place.error("", error.message.clone(), "the other files run without it"));
        }
        for warning in &report.warnings {
            let mut place = streamalert_config::Place::of_file(warning.file.display().to_string());
            place.line = warning.line as usize;
            place.column = usize::from(warning.line > 0);
            problems.push(place.warning("", warning.message.clone(), ""));
        }
        summary = format!("{summary}, {} rules", report.rules.rules().len());
        runtime.shutdown().await;
    }
    let outputs = Box::pin(assembly::outputs(&project.settings, &project.conf, clock)).await?;
    // The configuration alone does not know of what gets its fields from the store.
    let warned = outputs.registry.warnings().iter().map(|warning| &warning.name);
    let warned: BTreeSet<&OutputName> = warned.collect();
    let delivered: BTreeSet<&str> = (outputs.registry.names())
        .filter(|name| !warned.contains(name))
        .map(OutputName::as_str)
        .collect();
    problems.retain(|problem| problem.is_error() || !delivered.contains(problem.key.as_str()));
    problems.extend(outputs.problems.into_iter().map(|(_, problem)| problem));
    if let Err(Failure::Problems(more)) = project.selections() {
        problems.extend(more);
    }
    problems.extend(project.ambiguities()?);
    problems.extend(project.schema_warnings.iter().cloned());
    // Two checks may see the same thing; it is told once.
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.file.clone(), problem.line, problem.message.clone())));
    let ignored = project.conf.ignored.iter().map(ToString::to_string).collect();
    Ok((problems, ignored, format!("{summary}; ")))
}

fn row(problem: &Problem) -> streamalert_value::Value {
    object([
        (
            "severity",
            text(if problem.is_error() { "error" } else { "warning" }),
        ),
        ("file", text(&problem.file)),
        ("line", integer(problem.line as u64)),
        ("column", integer(problem.column as u64)),
        ("key", text(&problem.key)),
        ("message", text(&problem.message)),
        ("fix", text(&problem.fix)),
    ])
}
