//! Puts generated cases to CPython and to other engines, and compares.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::compare::{Found, count, differences};
use crate::known::Known;
use crate::native::native;
use crate::program::Generator;
use crate::python::Python;
use crate::report::{Difference, Report};
use crate::rng::Rng;
use crate::shrink::Shrinker;
use crate::subject::{Case, Mode, Outcome, Subject};

/// Examples of one sort of difference that are shrunk.
const EXAMPLES_PER_SORT: usize = 2;

/// Hash seeds under which a program must mean the same, or it is thrown away.
const HASH_SEEDS: [&str; 3] = ["1", "2", "random"];

/// Rules may recurse as deeply as the engine allows, in a debug build as well. Only what is used takes memory.
const STACK_BYTES: usize = 256 << 20;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of all programs and records.
    pub seed: u64,
    /// How many (program, record) pairs.
    pub pairs: u64,
    /// Records per program.
    pub records: usize,
    /// The CPython that is right.
    pub reference: PathBuf,
    /// The minor version of the oldest CPython in the run: programs use nothing newer.
    pub minor: u8,
    /// Other CPythons to compare.
    pub others: Vec<PathBuf>,
    /// Whether to compare the native engine.
    pub native: bool,
    /// A broken semantic for the reference, by its name in `mutants.py`: differences must be found.
    pub mutant: Option<String>,
    /// Only the program of this number.
    pub only: Option<u64>,
    /// Cases that are run before the generated ones.
    pub cases: Vec<Case>,
    /// Threads, each with its own processes.
    pub threads: usize,
    /// Sorts of differences that are shrunk and shown.
    pub sorts_max: usize,
    /// Differences that have a reason.
    pub known: Known,
}

/// A difference before it is shrunk.
#[derive(Debug, Clone)]
struct Raw {
    program: u64,
    subject: usize,
    mode: Mode,
    case: Case,
    found: Found,
}

struct Bench<'o> {
    options: &'o Options,
    reference: Python,
    /// The reference under other hash seeds.
    doubters: Vec<Python>,
    subjects: Vec<Box<dyn Subject>>,
    report: Report,
    raw: BTreeMap<(usize, String), Vec<Raw>>,
}

/// Runs everything.
///
/// # Errors
/// When the generator or CPython does not work at all.
pub fn run(options: &Options) -> Result<Report, String> {
    std::thread::scope(|scope| {
        let all = with_stack(scope, || run_all(options))?;
        all.join().map_err(|_| "the run panicked".to_owned())?
    })
}

/// A thread on which deep recursion of rules does not end the program.
fn with_stack<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, String> {
    let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
    thread.map_err(|error| format!("a thread: {error}"))
}

fn run_all(options: &Options) -> Result<Report, String> {
    let generator = Generator::new(options.minor)?;
    let programs = options.pairs.div_ceil(options.records.max(1) as u64);
    let next = AtomicU64::new(0);
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1))
            .map(|_| with_stack(scope, || work(options, &generator, &next, programs)))
            .collect::<Result<_, _>>()?;
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
            .collect::<Result<Vec<_>, String>>()
    })?;
    let mut report = Report::default();
    let mut raw: BTreeMap<(usize, String), Vec<Raw>> = BTreeMap::new();
    for (part, found) in parts {
        report.add(part);
        for (key, found) in found {
            raw.entry(key).or_default().extend(found);
        }
    }
    let mut bench = Bench::new(options)?;
    bench.report = report;
    bench.show(raw);
    Ok(bench.report)
}

type Part = (Report, BTreeMap<(usize, String), Vec<Raw>>);

fn work(options: &Options, generator: &Generator, next: &AtomicU64, programs: u64) -> Result<Part, String> {
    let mut bench = Bench::new(options)?;
    let given = options.cases.len() as u64;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let case = match options.only {
            Some(only) if number == 0 => bench.case(generator, only),
            Some(_) => break,
            None if number < given => options.cases.get(number as usize).cloned().unwrap_or_default(),
            None if number < given + programs => bench.case(generator, number - given),
            None => break,
        };
        bench.one(options.only.unwrap_or(number.saturating_sub(given)), &case);
    }
    Ok((bench.report, bench.raw))
}

impl<'o> Bench<'o> {
    fn new(options: &'o Options) -> Result<Self, String> {
        let mut subjects: Vec<Box<dyn Subject>> = Vec::new();
        if options.native {
            subjects.push(native(&options.reference));
        }
        for path in &options.others {
            subjects.push(Box::new(Python::new(path, "0", None)));
        }
        let python = |seed| Python::new(&options.reference, seed, options.mutant.as_deref());
        Ok(Self {
            options,
            reference: python("0"),
            doubters: HASH_SEEDS.map(python).into(),
            subjects,
            report: Report::default(),
            raw: BTreeMap::new(),
        })
    }

    fn case(&self, generator: &Generator, number: u64) -> Case {
        let seed = Rng::part(self.options.seed, number).next();
        let program = generator.program(seed);
        Case {
            root: None,
            records: program.records(seed, self.options.records),
            source: program.source,
        }
    }

    fn one(&mut self, number: u64, case: &Case) {
        self.reference.begin(case, Mode::IndexOff);
        let mut asked = Vec::new();
        for (index, subject) in self.subjects.iter_mut().enumerate() {
            let mut outcomes = Vec::new();
            for mode in subject.modes(self.options.seed ^ number) {
                subject.begin(case, mode);
                outcomes.push((index, mode, subject.finish(case, mode)));
            }
            asked.extend(outcomes);
        }
        self.report.programs += 1;
        self.report.pairs += case.records.len() as u64;
        let Ok(expected) = self.reference.finish(case, Mode::IndexOff) else {
            self.report.troubled += 1;
            self.report.troubled_programs.push(number);
            return;
        };
        if let Outcome::Loaded(rules, _) = &expected {
            self.report.evaluations += (rules.len() * case.records.len()) as u64;
        }
        count(&expected, &mut self.report.words, &mut BTreeMap::new());
        for (subject, mode, outcome) in asked {
            let outcome = outcome.unwrap_or_else(|trouble| Outcome::NotLoaded(format!("{trouble:?}")));
            let mut words = BTreeMap::new();
            count(&outcome, &mut words, &mut self.report.reasons);
            self.report.answers += words.values().sum::<u64>();
            self.report.fallbacks += words.get("fallback").copied().unwrap_or(0);
            let found = differences(&expected, &outcome);
            if !found.is_empty() {
                self.found(number, (subject, mode), case, &expected, found);
            }
        }
    }

    fn found(
        &mut self,
        program: u64,
        (subject, mode): (usize, Mode),
        case: &Case,
        expected: &Outcome,
        found: Vec<Found>,
    ) {
        let name = self
            .subjects
            .get(subject)
            .map_or_else(String::new, |subject| subject.name());
        let mut stable = None;
        for found in found {
            let answers = (found.expected.as_str(), found.got.as_str());
            if let Some(reason) = self.options.known.reason(&name, found.aspect, answers, None) {
                *self.report.explained.entry(reason.to_owned()).or_default() += 1;
                continue;
            }
            let doubters = &mut self.doubters;
            if !*stable.get_or_insert_with(|| is_stable(doubters, case, expected)) {
                self.report.unstable += 1;
                return;
            }
            let key = (name.clone(), found.signature.clone());
            *self.report.signatures.entry(key).or_default() += 1;
            let examples = self.raw.entry((subject, found.signature.clone())).or_default();
            if examples.len() < EXAMPLES_PER_SORT {
                let case = case.clone();
                examples.push(Raw {
                    program,
                    subject,
                    mode,
                    case,
                    found,
                });
            }
        }
    }

    fn show(&mut self, raw: BTreeMap<(usize, String), Vec<Raw>>) {
        // Python 3.8 cannot write programs.
        let writer = if self.options.minor < 9 {
            std::path::Path::new("python3")
        } else {
            self.options.reference.as_path()
        };
        let mut shrinker = Shrinker::new(writer);
        self.reference.hurry();
        self.subjects.iter_mut().for_each(|subject| subject.hurry());
        let mut seen = std::collections::BTreeSet::new();
        for (_, mut examples) in raw.into_iter().take(self.options.sorts_max) {
            examples.sort_by_key(|raw| (raw.program, raw.found.rule, raw.found.record));
            for raw in examples.into_iter().take(EXAMPLES_PER_SORT) {
                let difference = self.shrunk(&mut shrinker, &raw);
                if seen.insert((difference.subject.clone(), difference.case.source.clone())) {
                    self.report.differences.push(difference);
                }
            }
        }
    }

    fn shrunk(&mut self, shrinker: &mut Shrinker, raw: &Raw) -> Difference {
        let mut last = raw.found.clone();
        let case = shrinker.shrink(&raw.case, raw.found.record, &mut |case| {
            let found = self.compared(raw, case);
            let same = found
                .into_iter()
                .find(|found| found.signature == raw.found.signature);
            same.is_some_and(|found| {
                last = found;
                true
            })
        });
        let name = self
            .subjects
            .get(raw.subject)
            .map_or_else(String::new, |subject| subject.name());
        let answers = (last.expected.as_str(), last.got.as_str());
        let known = self
            .options
            .known
            .reason(&name, last.aspect, answers, Some(&case.source));
        Difference {
            known: known.map(str::to_owned),
            command: self.command(raw.program),
            mode: raw.mode,
            program: raw.program,
            signature: raw.found.signature.clone(),
            expected: last.expected,
            got: last.got,
            subject: name,
            case,
        }
    }

    fn compared(&mut self, raw: &Raw, case: &Case) -> Vec<Found> {
        let Some(subject) = self.subjects.get_mut(raw.subject) else {
            return Vec::new();
        };
        self.reference.begin(case, Mode::IndexOff);
        let got = subject.run(case, raw.mode);
        match (self.reference.finish(case, Mode::IndexOff), got) {
            (Ok(expected), Ok(got)) => differences(&expected, &got),
            _ => Vec::new(),
        }
    }

    fn command(&self, program: u64) -> String {
        let options = self.options;
        let mut text = format!(
            "cargo xtask diff-python --seed {} --records {} --program {program}",
            options.seed, options.records
        );
        if let Some(mutant) = &options.mutant {
            text.push_str(&format!(" --mutant {mutant}"));
        }
        if options.minor != 8 {
            text.push_str(&format!(" --syntax {}", options.minor));
        }
        if !options.others.is_empty() {
            for path in std::iter::once(&options.reference).chain(&options.others) {
                text.push_str(&format!(" --python {}", path.display()));
            }
        }
        text
    }
}

fn is_stable(doubters: &mut [Python], case: &Case, expected: &Outcome) -> bool {
    doubters.iter_mut().all(|doubter| {
        doubter
            .run(case, Mode::IndexOff)
            .is_ok_and(|outcome| outcome == *expected)
    })
}
