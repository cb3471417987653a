use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use streamalert_detect::RuleOutcome;
use streamalert_schema::{RawInput, Selection};
use streamalert_types::Source;
use streamalert_value::Value;

use crate::args::{Explain, Global};
use crate::assembly;
use crate::commands::schema::pretty;
use crate::explain::{ExplainedRecord, Explainer, Explanation, in_question, json, object, text, verdict};
use crate::failure::Failure;
use crate::project::Project;
use crate::{paint, python};

/// Schemas named per payload record; a line that nothing takes has been refused by all.
const SCHEMAS_SHOWN: usize = 12;

/// Explains one line, or many.
pub(crate) async fn run(global: &Global, args: &Explain) -> Result<(), Failure> {
    let project = Project::load(global)?;
    let clock = assembly::clock();
    let has_rules = project.python_dirs().rules.iter().any(|dir| dir.exists());
    let runtime = if has_rules {
        let (runtime, report) = python::start(&project, Some(1), clock.clone()).await?;
        for error in &report.errors {
            anstream::eprintln!("{} {error}", paint::in_style(paint::ODD, "not loaded:"));
        }
        Some(runtime)
    } else {
        None
    };
    let everything = project.schemas.select_all();
    let mut explainer = Explainer::new(&project, runtime.clone(), clock)?;
    explainer.why = true;
    explainer.threat_intel = assembly::threat_intel(&project)?;
    let mut command = Command {
        explainer,
        everything,
        args,
        project: &project,
    };
    let answer = match (&args.line, &args.input) {
        (Some(line), _) => command.line(line).await,
        (None, input) => command.inputs(input.as_deref()).await,
    };
    if let Some(runtime) = runtime {
        runtime.shutdown().await;
    }
    answer
}

struct Command<'a> {
    explainer: Explainer,
    everything: Selection,
    args: &'a Explain,
    project: &'a Project,
}

impl Command<'_> {
    /// One pasted line. Without a source, every schema is tried.
    async fn line(&mut self, line: &str) -> Result<(), Failure> {
        let (source, selection) = match &self.args.source {
            Some(name) => {
                // Says which sources there are when this is none of them.
                self.project.source(name)?;
                let (service, resource) = name.split_once(':').ok_or_else(|| {
                    Failure::Other(format!("not a source of the form SERVICE:RESOURCE: {name:?}"))
                })?;
                (
                    Source {
                        service: service.into(),
                        resource: resource.into(),
                        cluster: None,
                    },
                    None,
                )
            }
            None => {
                let any = Source {
                    service: "kinesis".into(),
                    resource: "any".into(),
                    cluster: None,
                };
                (any, Some(self.everything.clone()))
            }
        };
        let raw = object([
            ("id", text("line")),
            ("service", text(&source.service)),
            ("resource", text(&source.resource)),
            if &*source.service == "streamalert_app" {
                ("logs", Value::List(vec![json(line.as_bytes())]))
            } else {
                ("data", text(line))
            },
        ]);
        let input = RawInput::from_value(&raw).map_err(|error| Failure::Other(error.to_string()))?;
        let explanation = self.explainer.explain(&input, selection.as_ref(), None).await?;
        self.print(&input.id, &explanation)
    }

    /// JSON lines from a file or standard input.
    async fn inputs(&mut self, path: Option<&Path>) -> Result<(), Failure> {
        let reader: Box<dyn Read + Send> = match path {
            Some(path) if path != Path::new("-") => {
                let file = std::fs::File::open(path).map_err(|error| {
                    Failure::while_doing(&format!("cannot read {}", path.display()), error)
                })?;
                if path.extension().is_some_and(|extension| extension == "gz") {
                    Box::new(flate2::read::MultiGzDecoder::new(file))
                } else {
                    Box::new(file)
                }
            }
            _ => Box::new(std::io::stdin()),
        };
        for (number, line) in BufReader::new(reader).lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let at =
                |error: &dyn std::fmt::Display| Failure::Other(format!("input line {}: {error}", number + 1));
            let value = Value::parse_json(line.as_bytes()).map_err(|error| at(&error))?;
            let input = RawInput::from_value(&value).map_err(|error| at(&error))?;
            let explanation = self.explainer.explain(&input, None, None).await?;
            self.print(&input.id, &explanation)?;
        }
        Ok(())
    }

    fn print(&self, id: &str, explanation: &Explanation) -> Result<(), Failure> {
        if self.args.json {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", canonical(&explanation.to_value(id)).to_json())?;
            return Ok(());
        }
        show(explanation);
        Ok(())
    }
}

/// NaN and infinities as the golden files write them, so that the answer is JSON for everybody.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Float(float) if !float.is_finite() => {
            let name = if float.is_nan() {
                "nan"
            } else if *float > 0.0 {
                "inf"
            } else {
                "-inf"
            };
            object([("__float__", text(name))])
        }
        Value::List(items) => Value::List(items.iter().map(canonical).collect()),
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (key.clone(), canonical(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn show(explanation: &Explanation) {
    let source = &explanation.source;
    anstream::println!("{} {source}", paint::in_style(paint::HEAD, "source"));
    if let Some(selection) = &explanation.selection {
        let names: Vec<&str> = selection.log_types().map(|name| &**name).collect();
        anstream::println!("  reads {} log types: {}", names.len(), shortened(&names));
    } else {
        anstream::println!(
            "  {}",
            paint::in_style(paint::BAD, "no cluster file has this source, so nothing is read")
        );
    }
    for (number, unit) in explanation.classified.units.iter().enumerate() {
        let name = match &unit.log_type {
            Some(log_type) => paint::in_style(paint::GOOD, log_type),
            None => paint::in_style(paint::BAD, "no schema matches"),
        };
        anstream::println!(
            "{} {}: {name}",
            paint::in_style(paint::HEAD, "payload record"),
            number + 1
        );
        let named: Vec<_> = explanation
            .schemas
            .get(number)
            .into_iter()
            .flat_map(in_question)
            .collect();
        for schema in named.iter().take(SCHEMAS_SHOWN) {
            let told = verdict(&schema.verdict);
            anstream::println!("  {} {told}", paint::in_style(paint::HEAD, &schema.log_type));
        }
        if named.len() > SCHEMAS_SHOWN {
            anstream::println!("  … and {} more, all with --json", named.len() - SCHEMAS_SHOWN);
        }
        for failure in &unit.failures {
            anstream::println!("  {} {}", paint::in_style(paint::ODD, "refused:"), failure.reason);
            if let Some(nearest) = &failure.nearest {
                anstream::println!("    nearest is {}", nearest.log_type);
                for (word, keys) in [
                    ("missing", &nearest.missing),
                    ("unexpected", &nearest.unexpected),
                    ("wrong type", &nearest.wrong_type),
                ] {
                    if !keys.is_empty() {
                        anstream::println!("      {word}: {}", keys.join(", "));
                    }
                }
            }
        }
    }
    for record in &explanation.records {
        show_record(record);
    }
}

fn show_record(explained: &ExplainedRecord) {
    let record = &explained.record;
    anstream::println!(
        "{} {} ({})",
        paint::in_style(paint::HEAD, "record"),
        record.log_type,
        record.id()
    );
    for line in pretty(&json(&record.json)).lines() {
        anstream::println!("  {line}");
    }
    for (name, outcome) in &explained.rules {
        let word = match outcome {
            RuleOutcome::Fired(_) => paint::in_style(paint::GOOD, "fired"),
            RuleOutcome::False => paint::in_style(paint::DIM, "did not fire"),
            RuleOutcome::NotRun => paint::in_style(
                paint::DIM,
                "did not run (datatypes, required sub-keys or a matcher)",
            ),
            RuleOutcome::Exception(raised) => {
                paint::in_style(paint::ODD, format!("raised {}: {}", raised.kind, raised.message))
            }
            other => paint::in_style(paint::BAD, other.trace_word()),
        };
        anstream::println!("{} {name}: {word}", paint::in_style(paint::HEAD, "rule"));
    }
    for explained in &explained.alerts {
        let alert = &explained.alert;
        anstream::println!(
            "{} {} ({})",
            paint::in_style(paint::HEAD, "alert"),
            alert.rule_name,
            alert.id
        );
        if alert.merge_enabled() {
            anstream::println!(
                "  merged by {} for {} minutes",
                alert.merge_by_keys.join(", "),
                alert.merge_window_mins
            );
            if alert.sends_first() {
                anstream::println!("  the first of a group goes out at once");
            }
        }
        for (output, publication) in &explained.publications {
            match publication {
                Ok(value) => {
                    anstream::println!("  {} {output}", paint::in_style(paint::HEAD, "publication for"));
                    for line in pretty(value).lines() {
                        anstream::println!("    {line}");
                    }
                }
                Err(reason) => {
                    let word = paint::in_style(paint::ODD, "publisher failed, the plain alert is sent:");
                    anstream::println!("  {output}: {word} {reason}");
                }
            }
        }
    }
}

fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    if names.len() <= SHOWN {
        return names.join(", ");
    }
    format!(
        "{}, … and {} more",
        names[..SHOWN].join(", "),
        names.len() - SHOWN
    )
}
