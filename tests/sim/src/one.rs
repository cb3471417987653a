//! A single run, as a process: what it saw goes to standard output, line by line.

use std::process::ExitCode;

use crate::mutants::Mutant;
use crate::run::Run;
use crate::{flag, number, say, scenarios, value};

/// What the lines of the answer begin with.
pub(crate) const DIGEST: &str = "digest";
pub(crate) const FIGURE: &str = "figure";
pub(crate) const VIOLATION: &str = "violation";

pub(crate) fn main(arguments: &[String]) -> Result<ExitCode, String> {
    let mut arguments = arguments.to_vec();
    let seed = number(&mut arguments, "--seed")?.ok_or("--seed is missing")?;
    let scenario = value(&mut arguments, "--scenario")?.ok_or("--scenario is missing")?;
    let scenario = scenarios::named(&scenario).ok_or_else(|| format!("no scenario {scenario}"))?;
    let mutant = value(&mut arguments, "--mutant")?;
    let mutant = mutant
        .map(|name| Mutant::named(&name).ok_or_else(|| format!("no mutant {name}")))
        .transpose()?;
    let print = flag(&mut arguments, "--print");
    if let Some(unknown) = arguments.first() {
        return Err(format!("what is {unknown}?"));
    }
    let mut run = Run::new(&scenario.setup(), seed, mutant, print);
    scenario.act(&mut run);
    let world = run.world.clone();
    // Nodes end as they would by a crash, and add nothing to the trace.
    drop(run);
    let mut inner = world.inner();
    say(&format!("{DIGEST} {}", inner.history.digest()));
    for (name, figure) in inner.history.figures.named() {
        say(&format!("{FIGURE} {name} {figure}"));
    }
    for violation in &inner.history.violations {
        say(&format!("{VIOLATION} {} {violation}", violation.invariant.id()));
    }
    if !inner.history.violations.is_empty() && !print {
        for line in inner.history.recent() {
            say(&format!("    {line}"));
        }
    }
    let failed = !inner.history.violations.is_empty();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
