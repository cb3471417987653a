//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/`, each for a while.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Each target with the longest input that it is given: longer ones are slower, not other.
const TARGETS: [(&str, u32); 4] = [("load", 8192), ("evaluate", 4096), ("regex", 512), ("json", 4096)];

/// How long each target runs.
const SECONDS: u32 = 20;

/// Seconds for one input: more is a finding.
const TIMEOUT_SECONDS: u32 = 10;

/// Memory of a target, in MiB: more is a finding.
const MEMORY_MIB: u32 = 2048;

const USAGE: &str = "usage: cargo xtask fuzz [--seconds N] [TARGET]
targets: load, evaluate, regex, json; each runs for N seconds, 20 if not said otherwise";

const MISSING: &str = "cargo-fuzz is not installed: cargo install --locked cargo-fuzz
(it also needs a C++ compiler)";

/// What is to run.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    seconds: u32,
    targets: Vec<(&'static str, u32)>,
}

impl Plan {
    fn new(arguments: &[String]) -> Option<Self> {
        let mut plan = Self {
            seconds: SECONDS,
            targets: TARGETS.to_vec(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--seconds" {
                plan.seconds = arguments.next()?.parse().ok()?;
            } else {
                plan.targets.retain(|(name, _)| name == argument);
            }
        }
        // 0 seconds would be for ever.
        (plan.seconds > 0 && !plan.targets.is_empty()).then_some(plan)
    }
}

/// Runs the targets of the repository at `root`; fails when one of them finds something.
///
/// # Errors
/// When the arguments are wrong, cargo-fuzz is missing, or a folder cannot be made.
pub(super) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let plan = Plan::new(arguments).ok_or(USAGE)?;
    if !is_installed() {
        return Err(MISSING.to_owned());
    }
    let folder = root.join("fuzz");
    for (name, bytes_max) in plan.targets {
        let corpus = folder.join("corpus").join(name);
        std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let mut command = cargo();
        // No sanitizer: the code is free of `unsafe`, and without one the stable compiler will do.
        command
            .current_dir(&folder)
            .args(["fuzz", "run", "--sanitizer", "none", name])
            .arg(&corpus)
            .arg(folder.join("seeds").join(name))
            .arg("--")
            .arg(format!("-max_total_time={}", plan.seconds))
            .arg(format!("-timeout={TIMEOUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .arg(format!("-max_len={bytes_max}"))
            .args(["-print_final_stats=1", "-verbosity=0"]);
        let words = folder.join("words").join(format!("{name}.txt"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let status = command.status().map_err(|error| format!("cargo: {error}"))?;
        if !status.success() {
            return Err(format!(
                "fuzz target {name} found something, see above; the input is in fuzz/artifacts/{name}"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn is_installed() -> bool {
    let mut command = cargo();
    command.args(["fuzz", "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &str) -> Option<Plan> {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        Plan::new(&arguments)
    }

    #[test]
    fn all_targets_run_for_a_short_time_unless_told_otherwise() {
        let all = plan("").unwrap();
        assert_eq!((all.seconds, all.targets.as_slice()), (SECONDS, &TARGETS[..]));
        let one = plan("regex --seconds 180").unwrap();
        assert_eq!((one.seconds, one.targets.as_slice()), (180, &TARGETS[2..3]));
    }

    #[test]
    fn unknown_targets_and_endless_runs_are_refused() {
        for arguments in [
            "nothing",
            "load regex",
            "--seconds",
            "--seconds 0",
            "--seconds x load",
        ] {
            assert_eq!(plan(arguments), None, "{arguments}");
        }
    }

    #[test]
    fn every_target_has_a_program_and_seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for (name, _) in TARGETS {
            assert!(
                manifest.contains(&format!("path = \"targets/{name}.rs\"")),
                "{name}"
            );
            let seeds = std::fs::read_dir(folder.join("seeds").join(name)).unwrap();
            assert!(seeds.count() >= 3, "{name}");
        }
    }
}
