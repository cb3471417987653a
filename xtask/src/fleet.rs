//! `cargo xtask fleet`: runs the fleet under faults for a while.

use std::path::Path;
use std::process::{Command, ExitCode};

/// How long it runs: what CI has time for.
const MINUTES: u32 = 3;

const USAGE: &str = "usage: cargo xtask fleet [--minutes N] [--seed N] [--mutant NAME]
runs for N minutes, 3 if not said otherwise; equal seeds deal equal faults, 1 if not said otherwise; with a mutant,
such as loses-alert, the books are wrong and the run must fail";

/// What is to run.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    minutes: u32,
    seed: u64,
    mutant: Option<String>,
}

impl Plan {
    fn new(arguments: &[String]) -> Option<Self> {
        let mut plan = Self {
            minutes: MINUTES,
            seed: 1,
            mutant: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let value = arguments.next()?;
            match argument.as_str() {
                "--minutes" => plan.minutes = value.parse().ok()?,
                "--seed" => plan.seed = value.parse().ok()?,
                "--mutant" => plan.mutant = Some(value.clone()),
                _ => return None,
            }
        }
        (plan.minutes > 0).then_some(plan)
    }
}

/// Runs it; fails when the account of the run does, as `tests/chaos` has it.
///
/// # Errors
/// When the arguments are wrong or cargo cannot be started.
pub(super) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let plan = Plan::new(arguments).ok_or(USAGE)?;
    let mut command = Command::new(env!("CARGO"));
    if let Some(mutant) = &plan.mutant {
        command.env("STREAMALERT_FLEET_MUTANT", mutant);
    }
    let status = command
        // Of the workspace: of one package alone other features would be chosen, and everything be built anew.
        .args(["test", "--workspace", "--test", "chaos", "--", "--nocapture"])
        .current_dir(root)
        .env("STREAMALERT_FLEET_SECS", (plan.minutes * 60).to_string())
        .env("STREAMALERT_FLEET_SEED", plan.seed.to_string())
        // Skipping it would say that all is well.
        .env("CI", "true")
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Option<Plan> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Plan::new(&arguments)
    }

    #[test]
    fn minutes_seed_and_a_mutant_may_be_given() {
        let planned = |minutes, seed, mutant: Option<&str>| {
            let mutant = mutant.map(str::to_owned);
            Some(Plan {
                minutes,
                seed,
                mutant,
            })
        };
        assert_eq!(plan(&[]), planned(3, 1, None));
        let given = plan(&["--seed", "7", "--minutes", "30"]);
        assert_eq!(given, planned(30, 7, None));
        let given = plan(&["--mutant", "loses-alert"]);
        assert_eq!(given, planned(3, 1, Some("loses-alert")));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["--hours", "1"]] {
            assert_eq!(plan(wrong), None, "{wrong:?}");
        }
    }
}
