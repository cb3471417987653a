//! Chores of the repository: `cargo xtask tidy` checks the rules that neither rustc nor clippy knows;
//! `cargo xtask diff-python` compares engines with CPython; `cargo xtask fuzz` looks for inputs that hurt;
//! `cargo xtask sim` runs the services on a simulated network, `cargo xtask fleet` as processes that it kills;
//! `cargo xtask scaling` computes what a fleet of some size takes.

mod diff;
mod fleet;
mod fuzz;
mod scaling;
mod sim;
mod tidy;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy | diff-python [OPTIONS] | fuzz [--seconds N] [TARGET] | sim [OPTIONS]
       | fleet [--minutes N] [--seed N] [--mutant NAME] | scaling [--write]

tidy   checks dependency direction, file length, log style, left-over macros, ignored tests, names and doc links;
       prints file:line: message and fails when there is anything to mend
diff-python   generated rules on generated records, CPython against the native engine; --help tells more
fuzz   the fuzz targets of fuzz/, each for 20 seconds or N; needs cargo-fuzz
sim    the services with faulty stores, clocks and connections; --help tells more
fleet  every service as processes on this machine, killed, frozen, cut off and throttled at random while alerts flow,
       for 3 minutes or N; prints what became of every alert; needs tests/emulators/install.sh
scaling   what a fleet takes and costs, from docs/scaling.toml; --write brings docs/SCALING.md up to date";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    let mut say = |text: &str| writeln!(out, "{text}").is_ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["tidy"] => match tidy::run(root) {
            Ok(findings) => {
                let said = findings.iter().all(|finding| say(&finding.to_string()));
                let clean = !findings.iter().any(tidy::Finding::is_error);
                if clean && said {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                }
            }
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["diff-python", ..] => match diff::run(root, arguments.get(1..).unwrap_or_default()) {
            Ok(code) => code,
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["fuzz", ..] => match fuzz::run(root, arguments.get(1..).unwrap_or_default()) {
            Ok(code) => code,
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["fleet", ..] => match fleet::run(root, arguments.get(1..).unwrap_or_default()) {
            Ok(code) => code,
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["sim", ..] => match sim::run(root, arguments.get(1..).unwrap_or_default()) {
            Ok(code) => code,
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["scaling", ..] => match scaling::run(root, &arguments) {
            Ok(tables) => {
                say(&tables);
                ExitCode::SUCCESS
            }
            Err(error) => {
                say(&error);
                ExitCode::FAILURE
            }
        },
        ["help" | "--help" | "-h"] => {
            say(USAGE);
            ExitCode::SUCCESS
        }
        _ => {
            say(USAGE);
            ExitCode::from(2)
        }
    }
}
