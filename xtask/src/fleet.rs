//! `cargo xtask fleet`: runs the fleet under faults for a while.

use std::path::Path;
use std::process::{Command, ExitCode};

/// How long it runs: what CI has time for.
const MINUTES: u32 = 3;

const USAGE: &str = "usage: cargo xtask fleet [--minutes N] [--seed N]
runs for N minutes, 3 if not said otherwise; equal seeds choose equal faults, 1 if not said otherwise";

/// What is to run.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    minutes: u32,
    seed: u64,
}

impl Plan {
    fn new(arguments: &[String]) -> Option<Self> {
        let mut plan = Self {
            minutes: MINUTES,
            seed: 1,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let value = arguments.next()?;
            match argument.as_str() {
                "--minutes" => plan.minutes = value.parse().ok()?,
                "--seed" => plan.seed = value.parse().ok()?,
                _ => return None,
            }
        }
        (plan.minutes > 0).then_some(plan)
    }
}

/// Runs it; fails when an alert is missing or came twice.
///
/// # Errors
/// When the arguments are wrong or cargo cannot be started.
pub(super) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let plan = Plan::new(arguments).ok_or(USAGE)?;
    let status = Command::new(env!("CARGO"))
        .args([
            "test",
            "-p",
            "streamalert-cli",
            "--test",
            "chaos",
            "--",
            "--nocapture",
        ])
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
    fn minutes_and_seed_may_be_given() {
        assert_eq!(plan(&[]), Some(Plan { minutes: 3, seed: 1 }));
        let given = plan(&["--seed", "7", "--minutes", "30"]);
        assert_eq!(given, Some(Plan { minutes: 30, seed: 7 }));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["--hours", "1"]] {
            assert_eq!(plan(wrong), None, "{wrong:?}");
        }
    }
}
