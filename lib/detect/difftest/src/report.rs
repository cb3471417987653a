use std::collections::BTreeMap;
use std::fmt;

use crate::subject::{Case, Mode};

/// How many reasons for fallbacks are shown.
const REASONS_SHOWN: usize = 30;

/// A difference, shrunk.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The engine that differs.
    pub subject: String,
    /// How it was asked.
    pub mode: Mode,
    /// The program's number under the seed.
    pub program: u64,
    /// What sort it is.
    pub signature: String,
    /// What CPython answers.
    pub expected: String,
    /// What the engine answers.
    pub got: String,
    /// A small case that shows it.
    pub case: Case,
    /// How to see it again.
    pub command: String,
    /// Why it is so, when `known.toml` says.
    pub known: Option<String>,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Programs evaluated.
    pub programs: u64,
    /// Programs times their records, counted once however many engines and modes there are.
    pub pairs: u64,
    /// Rules times records.
    pub evaluations: u64,
    /// Answers of engines that were fallbacks, over all modes.
    pub fallbacks: u64,
    /// Answers of engines, over all modes.
    pub answers: u64,
    /// Programs thrown away, because CPython's own answer depends on the order of sets.
    pub unstable: u64,
    /// Programs that ran too long in CPython or killed it.
    pub troubled: u64,
    /// Their numbers.
    pub troubled_programs: Vec<u64>,
    /// What CPython answered, by word.
    pub words: BTreeMap<String, u64>,
    /// Reasons for fallbacks.
    pub reasons: BTreeMap<String, u64>,
    /// How often each sort of difference was met, by engine and sort.
    pub signatures: BTreeMap<(String, String), u64>,
    /// Differences met that `known.toml` explains, by reason.
    pub explained: BTreeMap<String, u64>,
    /// One example or a few of each sort.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Differences that nobody has explained.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        let met: u64 = self.signatures.values().sum();
        let explained = self
            .differences
            .iter()
            .filter(|difference| difference.known.is_some());
        met.saturating_sub(explained.count() as u64)
    }

    /// Adds what another thread found.
    pub(crate) fn add(&mut self, other: Self) {
        self.programs += other.programs;
        self.pairs += other.pairs;
        self.evaluations += other.evaluations;
        self.fallbacks += other.fallbacks;
        self.answers += other.answers;
        self.unstable += other.unstable;
        self.troubled += other.troubled;
        self.troubled_programs.extend(other.troubled_programs);
        sum(&mut self.words, other.words);
        sum(&mut self.reasons, other.reasons);
        sum(&mut self.signatures, other.signatures);
        sum(&mut self.explained, other.explained);
        self.differences.extend(other.differences);
    }
}

fn sum<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    // Counts here are far below 2^52.
    100.0 * part as f64 / whole.max(1) as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "CPython's answers:")?;
        for (word, count) in &self.words {
            writeln!(
                f,
                "  {word}: {count} ({:.1} %)",
                percent(*count, self.evaluations)
            )?;
        }
        if !self.troubled_programs.is_empty() {
            writeln!(f, "too slow or deadly programs: {:?}", self.troubled_programs)?;
        }
        if !self.reasons.is_empty() {
            writeln!(f, "fallbacks, by reason:")?;
            let mut reasons: Vec<_> = self.reasons.iter().collect();
            reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), (*reason).clone()));
            for (reason, count) in reasons.into_iter().take(REASONS_SHOWN) {
                writeln!(
                    f,
                    "  {count:>9} ({:.2} %)  {reason}",
                    percent(*count, self.answers)
                )?;
            }
        }
        if !self.explained.is_empty() {
            writeln!(f, "explained differences:")?;
            for (reason, count) in &self.explained {
                writeln!(f, "  {count:>9}  {reason}")?;
            }
        }
        if !self.signatures.is_empty() {
            writeln!(f, "differences, CPython | engine:")?;
            for ((subject, signature), count) in &self.signatures {
                writeln!(f, "  {count:>9}  {subject}: {signature}")?;
            }
        }
        for difference in &self.differences {
            writeln!(f, "\n{difference}")?;
        }
        write!(
            f,
            "pairs {}, programs {}, evaluations {}, thrown away {}, troubled {}, fallbacks {} ({:.1} %), differences {}",
            self.pairs,
            self.programs,
            self.evaluations,
            self.unstable,
            self.troubled,
            self.fallbacks,
            percent(self.fallbacks, self.answers),
            self.unexplained(),
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "--- program {} with {} ({:?})",
            self.program, self.subject, self.mode
        )?;
        writeln!(f, "{}", self.case.source.trim_end())?;
        for record in &self.case.records {
            writeln!(f, "# record {record}")?;
        }
        writeln!(f, "CPython: {}", self.expected)?;
        writeln!(f, "engine:  {}", self.got)?;
        if let Some(reason) = &self.known {
            writeln!(f, "known:   {reason}")?;
        }
        write!(f, "again:   {}", self.command)
    }
}
