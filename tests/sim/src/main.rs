//! The services of StreamAlert on a simulated network, with faulty stores and wrong clocks: `cargo xtask sim`.
//!
//! A run is decided by its scenario and its seed, to the last message. Runs are processes of their own, so that one
//! cannot disturb another one; this program starts them (`campaign`), and is them (`one`).

mod campaign;
mod checks;
mod clock;
mod history;
mod invariants;
mod mergers;
mod mutants;
mod net;
mod nodes;
mod one;
mod outputs;
mod rules;
mod run;
mod scenarios;
mod script;
mod source;
mod store;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask sim [--seeds N] [--seed S] [--scenario X] [--mutants] [--list]
       cargo xtask sim one --scenario X --seed S [--mutant M] [--print]

  --seeds N      seeds 1 to N, 10 if not said otherwise; each runs every scenario
  --seed S       this seed alone
  --scenario X   this scenario alone
  --mutants      deliberate defects instead: each must be caught
  --list         the invariants, scenarios and mutants
  one            a single run, with --print its whole trace";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("help" | "--help" | "-h") => {
            say(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Some("one") => one::main(arguments.get(1..).unwrap_or_default()),
        _ => campaign::main(&arguments),
    };
    result.unwrap_or_else(|problem| {
        say(&problem);
        say(USAGE);
        ExitCode::from(2)
    })
}

/// A line on standard output. Whoever has closed it wants no more lines.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Takes the value of `name` out of `arguments`.
pub(crate) fn value(arguments: &mut Vec<String>, name: &str) -> Result<Option<String>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == name) else {
        return Ok(None);
    };
    if at + 1 >= arguments.len() {
        return Err(format!("{name} needs a value"));
    }
    arguments.remove(at);
    Ok(Some(arguments.remove(at)))
}

/// Takes a flag out of `arguments`.
pub(crate) fn flag(arguments: &mut Vec<String>, name: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != name);
    arguments.len() < before
}

/// A number among the arguments.
pub(crate) fn number(arguments: &mut Vec<String>, name: &str) -> Result<Option<u64>, String> {
    let text = value(arguments, name)?;
    text.map(|text| {
        text.parse()
            .map_err(|_| format!("{name} needs a number, not {text}"))
    })
    .transpose()
}
