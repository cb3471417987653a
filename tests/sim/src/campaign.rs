//! Many runs: seeds, or mutants.

use std::collections::VecDeque;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::history::Figures;
use crate::invariants::Invariant;
use crate::mutants::Mutant;
use crate::one::{DIGEST, FIGURE, VIOLATION};
use crate::scenarios::{SCENARIOS, Scenario};
use crate::{flag, number, say, value};

/// Seeds of a campaign that says nothing else.
const SEEDS: u64 = 10;

/// Seeds that a mutant gets to be caught.
const MUTANT_SEEDS: u64 = 3;

/// One run to be made.
#[derive(Clone, Copy)]
struct Job {
    scenario: &'static Scenario,
    seed: u64,
    mutant: Option<Mutant>,
}

/// What came of it.
struct Outcome {
    job: Job,
    digest: String,
    figures: Figures,
    /// Ids and texts.
    violations: Vec<(String, String)>,
    /// Everything that the run said.
    said: String,
    failed: bool,
}

pub(crate) fn main(arguments: &[String]) -> Result<ExitCode, String> {
    let mut arguments = arguments.to_vec();
    let seeds = number(&mut arguments, "--seeds")?.unwrap_or(SEEDS);
    let seed = number(&mut arguments, "--seed")?;
    let only = value(&mut arguments, "--scenario")?;
    let (mutants, list) = (flag(&mut arguments, "--mutants"), flag(&mut arguments, "--list"));
    if let Some(unknown) = arguments.first() {
        return Err(format!("what is {unknown}?"));
    }
    let chosen = |scenario: &&Scenario| only.as_ref().is_none_or(|only| only == scenario.name);
    let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().filter(chosen).collect();
    if scenarios.is_empty() {
        return Err(format!("no scenario {}", only.unwrap_or_default()));
    }
    if list {
        show_list();
        return Ok(ExitCode::SUCCESS);
    }
    if mutants {
        return Ok(try_mutants(&scenarios));
    }
    let seeds: Vec<u64> = seed.map_or_else(|| (1..=seeds).collect(), |seed| vec![seed]);
    Ok(try_seeds(&scenarios, &seeds))
}

fn show_list() {
    for invariant in Invariant::PROMISES {
        say(&format!("invariant {invariant}"));
    }
    for scenario in &SCENARIOS {
        say(&format!("scenario {}: {}", scenario.name, scenario.about));
    }
    for mutant in Mutant::ALL {
        say(&format!(
            "mutant {} breaks {}",
            mutant.name(),
            mutant.breaks().id()
        ));
    }
}

fn try_seeds(scenarios: &[&'static Scenario], seeds: &[u64]) -> ExitCode {
    let mut jobs = VecDeque::new();
    // The first seed twice, in two processes: their traces must be equal, or no failure could be looked into.
    for seed in seeds.first().into_iter().chain(seeds) {
        jobs.extend(scenarios.iter().map(|scenario| Job {
            scenario,
            seed: *seed,
            mutant: None,
        }));
    }
    let runs = jobs.len();
    let outcomes = make(jobs);
    let mut failures = 0;
    let mut sum = Figures::default();
    for outcome in &outcomes {
        let mut figures = outcome.figures;
        for ((_, sum), (_, figure)) in sum.named().into_iter().zip(figures.named()) {
            *sum += *figure;
        }
        let twin = |other: &&Outcome| {
            other.job.seed == outcome.job.seed && other.job.scenario.name == outcome.job.scenario.name
        };
        let same = outcomes
            .iter()
            .filter(twin)
            .all(|other| other.digest == outcome.digest);
        if outcome.failed || !same {
            failures += 1;
            show_failure(outcome, same);
        }
    }
    let figures: Vec<String> = sum
        .named()
        .into_iter()
        .map(|(name, figure)| format!("{name} {figure}"))
        .collect();
    say(&format!(
        "{runs} runs of {} scenarios: {}",
        scenarios.len(),
        figures.join(", ")
    ));
    say(&format!("seeds {}, failures {failures}", seeds.len()));
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn show_failure(outcome: &Outcome, same: bool) {
    let Job { scenario, seed, .. } = outcome.job;
    say(&format!("seed {seed}, scenario {}:", scenario.name));
    if !same {
        say(&format!(
            "    two runs of one seed differ; this one was {}",
            outcome.digest
        ));
    }
    say(&outcome.said);
    say(&format!(
        "again: cargo xtask sim one --scenario {} --seed {seed} --print",
        scenario.name
    ));
}

fn try_mutants(scenarios: &[&'static Scenario]) -> ExitCode {
    let mut missed = 0;
    for mutant in Mutant::ALL {
        let wanted = mutant.breaks().id();
        let jobs = (1..=MUTANT_SEEDS).flat_map(|seed| {
            scenarios.iter().map(move |scenario| Job {
                scenario,
                seed,
                mutant: Some(mutant),
            })
        });
        // As many at once as are made at once: one that sees it is enough.
        let jobs: Vec<Job> = jobs.collect();
        let mut by = Vec::new();
        for jobs in jobs.chunks(cores()) {
            let outcomes = make(jobs.iter().copied().collect());
            let catches = |outcome: &&Outcome| outcome.violations.iter().any(|(id, _)| id == wanted);
            by.extend(
                outcomes
                    .iter()
                    .filter(catches)
                    .map(|outcome| outcome.job.scenario.name),
            );
            if !by.is_empty() {
                break;
            }
        }
        if by.is_empty() {
            missed += 1;
            say(&format!("missed {}: {wanted} sees nothing", mutant.name()));
        } else {
            say(&format!(
                "caught {} by {wanted} in {}",
                mutant.name(),
                by.join(", ")
            ));
        }
    }
    say(&format!("mutants {}, missed {missed}", Mutant::ALL.len()));
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Makes runs, as many at once as there are cores; answers in the order of the jobs.
fn make(jobs: VecDeque<Job>) -> Vec<Outcome> {
    let count = jobs.len();
    let jobs = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..cores().min(count) {
            scope.spawn(|| {
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((at, job)) = next else { return };
                    let outcome = run(job);
                    outcomes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((at, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn run(job: Job) -> Outcome {
    let mut outcome = Outcome {
        job,
        digest: String::new(),
        figures: Figures::default(),
        violations: Vec::new(),
        said: String::new(),
        failed: true,
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(problem) => {
            outcome.said = format!("    this program is gone: {problem}");
            return outcome;
        }
    };
    let mut command = Command::new(program);
    command.args([
        "one",
        "--scenario",
        job.scenario.name,
        "--seed",
        &job.seed.to_string(),
    ]);
    if let Some(mutant) = job.mutant {
        command.args(["--mutant", mutant.name()]);
    }
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(problem) => {
            outcome.said = format!("    cannot be started: {problem}");
            return outcome;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            DIGEST => outcome.digest = rest.to_owned(),
            FIGURE => read_figure(&mut outcome.figures, rest),
            VIOLATION => {
                let (id, what) = rest.split_once(' ').unwrap_or((rest, ""));
                outcome.violations.push((id.to_owned(), what.to_owned()));
            }
            _ => {}
        }
    }
    outcome.failed = !output.status.success();
    outcome.said = text
        .lines()
        .filter(|line| !line.starts_with(FIGURE))
        .collect::<Vec<_>>()
        .join("\n");
    // What a panic says.
    outcome.said.push_str(&String::from_utf8_lossy(&output.stderr));
    outcome
}

fn read_figure(figures: &mut Figures, text: &str) {
    let Some((name, number)) = text.split_once(' ') else {
        return;
    };
    for (known, figure) in figures.named() {
        if known == name {
            *figure = number.parse().unwrap_or(0);
        }
    }
}
