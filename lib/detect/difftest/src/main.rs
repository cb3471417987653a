//! `cargo xtask diff-python`: the differential harness as a program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use streamalert_difftest::{Known, Options, real_cases, run};

const USAGE: &str = "usage: cargo xtask diff-python [OPTIONS]

Generated rule modules on generated records: CPython against the native engine, or against other CPythons.

  --seed N        seed of all programs and records (default 1)
  --pairs N       (program, record) pairs (default 50000)
  --records N     records per program (default 40)
  --python PATH   an interpreter; the first is the reference, each further one is compared with it (default python3)
  --no-native     leave the native engine out
  --mutant NAME   break a semantic in the reference; fails when no difference is found; `all` takes one after the other
  --program N     only the program of this number
  --syntax N      use syntax up to Python 3.N (default: that of the oldest interpreter)
  --real          also real rules: recorded ones, benchmarks, the quickstart
  --sorts N       sorts of differences to shrink and show (default 12)
  --threads N     threads, each with its own processes (default: as many as there are cores)

Ends with 1 when there are unexplained differences; known.toml holds the explained ones.";

/// What `mutants.py` offers.
const MUTANTS: &str = include_str!("../python/mutants.py");

fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let usual = std::panic::take_hook();
    // Panics of the engine are contained, and are differences: they are reported as such.
    std::panic::set_hook(Box::new(move |info| {
        if !info
            .location()
            .is_some_and(|place| place.file().contains("detect/python"))
        {
            usual(info);
        }
    }));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (text, code) = match options(&arguments).and_then(|(options, mutants)| answer(options, &mutants)) {
        Ok((text, true)) => (text, ExitCode::SUCCESS),
        Ok((text, false)) => (text, ExitCode::FAILURE),
        Err(error) => (error, ExitCode::from(2)),
    };
    match writeln!(out, "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The report, and whether all is well.
fn answer(options: Options, mutants: &[String]) -> Result<(String, bool), String> {
    if mutants.is_empty() {
        let report = run(&options)?;
        return Ok((report.to_string(), report.unexplained() == 0));
    }
    let mut text = String::new();
    let mut caught = 0;
    for mutant in mutants {
        let broken = Options {
            mutant: Some(mutant.clone()),
            // That there is a difference is all that is asked of many.
            sorts_max: if mutants.len() > 1 { 0 } else { options.sorts_max },
            ..options.clone()
        };
        let report = run(&broken)?;
        let found: u64 = report.signatures.values().sum();
        caught += usize::from(found > 0);
        if mutants.len() == 1 {
            text.push_str(&format!("{report}\n"));
        }
        text.push_str(&format!(
            "{mutant}: {found} differences in {} pairs\n",
            report.pairs
        ));
    }
    text.push_str(&format!("{caught} of {} mutants caught", mutants.len()));
    Ok((text, caught == mutants.len()))
}

fn options(arguments: &[String]) -> Result<(Options, Vec<String>), String> {
    let mut pythons: Vec<PathBuf> = Vec::new();
    let (mut mutants, mut syntax, mut real) = (Vec::new(), None, false);
    let known = Known::read(include_str!("../known.toml"))?;
    let mut options = Options {
        seed: 1,
        pairs: 50_000,
        records: 40,
        reference: PathBuf::from("python3"),
        minor: 8,
        others: Vec::new(),
        native: true,
        mutant: None,
        only: None,
        cases: Vec::new(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        sorts_max: 12,
        known,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let mut value = || {
            rest.next()
                .ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))
        };
        match name.as_str() {
            "--seed" => options.seed = number(name, value()?)?,
            "--pairs" => options.pairs = number(name, value()?)?,
            "--records" => options.records = number(name, value()?)?,
            "--python" => pythons.push(value()?.into()),
            "--no-native" => options.native = false,
            "--mutant" => mutants = mutants_of(value()?),
            "--program" => options.only = Some(number(name, value()?)?),
            "--syntax" => syntax = Some(number(name, value()?)?),
            "--real" => real = true,
            "--sorts" => options.sorts_max = number(name, value()?)?,
            "--threads" => options.threads = number(name, value()?)?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    if pythons.is_empty() {
        pythons.push("python3".into());
    }
    let versions = pythons
        .iter()
        .map(|path| minor(path))
        .collect::<Result<Vec<_>, _>>()?;
    options.minor = syntax.unwrap_or_else(|| versions.iter().copied().min().unwrap_or(8));
    options.reference = pythons.remove(0);
    options.others = pythons;
    if options.others.is_empty() && !options.native {
        // Something must be compared; a mutant's reference, too.
        options.others.push(options.reference.clone());
    }
    if real {
        let (cases, absent) = real_cases();
        options.cases = cases;
        if std::env::var_os("CI").is_some() && !absent.is_empty() {
            return Err(format!("not found: {}", absent.join(", ")));
        }
    }
    Ok((options, mutants))
}

fn mutants_of(name: &str) -> Vec<String> {
    if name != "all" {
        return vec![name.to_owned()];
    }
    let table = MUTANTS.split_once("MUTANTS = {").map_or("", |(_, table)| table);
    let lines = table.lines().take_while(|line| !line.starts_with('}'));
    lines
        .filter_map(|line| Some(line.trim().strip_prefix('\'')?.split_once("':")?.0.to_owned()))
        .collect()
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{name}: no such number: {text}"))
}

/// The minor version of an interpreter.
fn minor(path: &Path) -> Result<u8, String> {
    let ask = Command::new(path)
        .args(["-c", "import sys; print(sys.version_info[1])"])
        .output();
    let output = ask.map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("{}: no Python 3", path.display()))
}
