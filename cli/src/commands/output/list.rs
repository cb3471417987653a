use std::collections::BTreeSet;

use streamalert_config::{Conf, Place, Settings};
use streamalert_types::OutputName;
use streamalert_value::Value;

use super::load;
use crate::args::Global;
use crate::assembly::{self, Outputs};
use crate::explain::{object, text};
use crate::failure::Failure;
use crate::paint;

/// What is told of one output.
struct Row {
    output: OutputName,
    /// Why it cannot be delivered to.
    problem: Option<String>,
    /// Where its secrets are, never what they are.
    secrets: Vec<String>,
    /// Where it is configured.
    place: String,
}

/// Every output that is configured, and those that something is stored about although nothing names them.
pub(super) async fn run(global: &Global, json: bool) -> Result<(), Failure> {
    let (settings, conf) = load(global)?;
    let outputs = Box::pin(assembly::outputs(&settings, &conf, assembly::clock())).await?;
    let secrets = assembly::secrets(&settings, &conf);
    let (kept_in, kept) = match secrets.store().await {
        Ok(store) => (
            store.place(),
            store.list_outputs().await.map_err(|error| error.to_string()),
        ),
        Err(error) => (String::new(), Err(error.to_string())),
    };
    let rows = rows(&settings, &conf, &outputs, &kept_in);
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (name_width, place_width) = (
        width(|row| row.output.as_str().len()),
        width(|row| row.place.len()),
    );
    for row in &rows {
        if json {
            println!("{}", row.json().to_json());
            continue;
        }
        let state = match &row.problem {
            None => paint::in_style(paint::GOOD, "ready  "),
            Some(_) => paint::in_style(paint::BAD, "cannot "),
        };
        let secrets = match &row.problem {
            Some(problem) => problem.clone(),
            None => paint::in_style(paint::DIM, row.secrets.join(", ")),
        };
        let (name, place) = (row.output.as_str(), &row.place);
        anstream::println!("{name:name_width$}  {state}  {place:place_width$}  {secrets}");
    }
    if json {
        return Ok(());
    }
    match kept {
        Ok(kept) => {
            let named: BTreeSet<&OutputName> = rows.iter().map(|row| &row.output).collect();
            for stray in kept.iter().filter(|output| !named.contains(output)) {
                anstream::println!(
                    "{stray}  {}",
                    paint::in_style(
                        paint::ODD,
                        format!(
                            "stored in {kept_in}, but nothing names it: `streamalert output remove {stray}`"
                        )
                    )
                );
            }
        }
        // listing takes permissions that delivering does not
        Err(error) => anstream::eprintln!("{} {error}", paint::in_style(paint::ODD, "warning:")),
    }
    Ok(())
}

fn rows(settings: &Settings, conf: &Conf, outputs: &Outputs, kept_in: &str) -> Vec<Row> {
    let broken = outputs.problems.iter().map(|(name, _)| name);
    let names: BTreeSet<&OutputName> = broken.chain(outputs.registry.names()).collect();
    let of = |name: &OutputName| {
        let broken = outputs.problems.iter().find(|(broken, _)| broken == name);
        let warnings = outputs.registry.warnings().iter();
        let mut warnings = warnings.filter(|warning| warning.name == *name);
        let problem = broken
            .map(|(_, problem)| problem.message.clone())
            .or_else(|| warnings.next().map(|warning| warning.message.clone()));
        let target = settings.outputs.get(name);
        let given = target.map(|target| target.secrets()).unwrap_or_default();
        let mut secrets: Vec<String> = given.iter().map(|secret| secret.whereabouts()).collect();
        if outputs.stored.contains(name) {
            secrets.push(format!(
                "{kept_in}, outputs/{}/{}",
                name.service(),
                name.descriptor()
            ));
        }
        secrets.sort();
        secrets.dedup();
        // what is wrong with one field is at the line of that field
        let place = broken.map(|(_, problem)| Place {
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
        });
        let place = assembly::at(&place.unwrap_or_else(|| assembly::place_of(settings, conf, name)));
        Row {
            output: name.clone(),
            problem,
            secrets,
            place: if place.is_empty() {
                "built in".to_owned()
            } else {
                place
            },
        }
    };
    names.into_iter().map(of).collect()
}

impl Row {
    fn json(&self) -> Value {
        let secrets = self.secrets.iter().map(|place| text(place));
        object([
            ("output", text(self.output.as_str())),
            ("ready", Value::Bool(self.problem.is_none())),
            ("problem", self.problem.as_deref().map_or(Value::Null, text)),
            ("configured", text(&self.place)),
            ("secrets", Value::List(secrets.collect())),
        ])
    }
}
