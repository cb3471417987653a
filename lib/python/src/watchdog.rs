//! When a worker is over a limit, and whose fault it is. Pure: the shell samples, this decides.

use std::collections::HashMap;
use std::time::Duration;

use streamalert_detect::RuleIndex;
use tokio::time::Instant;

/// A rule is only ever this many times its limit late, however busy the machine is.
const STARVED_FACTOR: u32 = 20;

/// Granularity of a process's computing time.
const CPU_TICK: Duration = Duration::from_millis(10);

/// Reading a frame, parsing a record and the like are our own work and take no longer than this.
const STALL_MAX: Duration = Duration::from_secs(30);

/// The word that a worker writes before each step: batch (16 bits), record (24 bits), rule (24 bits).
/// The other side of this layout is `evaluate.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProgressWord(pub(crate) u64);

const RULE_PUBLISH: u32 = 0xff_fffd;

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Evaluating a rule on a record of the batch.
    Rule { record: u32, rule: RuleIndex },
    /// Running publishers.
    Publish,
    /// Something of ours, with a record.
    Own { record: u32 },
    /// Nothing of this batch.
    Elsewhere,
}

impl ProgressWord {
    /// What is in the file before the worker writes.
    pub(crate) const INITIAL: Self = Self(u64::MAX);

    /// Reads it as of the batch with this sequence number.
    pub(crate) fn step(self, sequence: u32) -> Step {
        if self.0 >> 48 != u64::from(sequence & 0xffff) {
            return Step::Elsewhere;
        }
        let low = |bits: u64| u32::try_from(bits & 0xff_ffff).unwrap_or(u32::MAX);
        let (record, rule) = (low(self.0 >> 24), low(self.0));
        match rule {
            RULE_PUBLISH => Step::Publish,
            _ if rule > RULE_PUBLISH => Step::Own { record },
            _ => Step::Rule {
                record,
                rule: RuleIndex(rule),
            },
        }
    }
}

/// What the system says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuSample {
    /// Computing time since its start.
    pub(crate) used: Duration,
    /// It waits of its own will, so that computing time says nothing.
    pub(crate) waits: bool,
}

/// Times of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchLimits {
    pub(crate) evaluation: Duration,
    pub(crate) publish: Duration,
}

/// Watches one batch.
#[derive(Debug)]
pub(crate) struct Watchdog {
    sequence: u32,
    limits: WatchLimits,
    word: ProgressWord,
    since: Instant,
    used_before: Option<Duration>,
    samples: HashMap<RuleIndex, u32>,
    samples_all: u32,
}

impl Watchdog {
    pub(crate) fn new(sequence: u32, limits: WatchLimits, word: ProgressWord, now: Instant) -> Self {
        let samples = HashMap::new();
        Self {
            sequence,
            limits,
            word,
            since: now,
            used_before: None,
            samples,
            samples_all: 0,
        }
    }

    /// Takes a sample; true when the step is over its limit.
    pub(crate) fn observe(&mut self, now: Instant, word: ProgressWord, cpu: Option<CpuSample>) -> bool {
        let step = word.step(self.sequence);
        self.samples_all += 1;
        if let Step::Rule { rule, .. } = step {
            *self.samples.entry(rule).or_default() += 1;
        }
        if word != self.word {
            self.word = word;
            self.since = now;
            self.used_before = cpu.map(|cpu| cpu.used);
            return false;
        }
        let limit = match step {
            Step::Rule { .. } => self.limits.evaluation,
            Step::Publish => self.limits.publish,
            Step::Own { .. } | Step::Elsewhere => STALL_MAX,
        };
        let elapsed = now - self.since;
        if elapsed < limit {
            return false;
        }
        let (Some(cpu), Some(before)) = (cpu, self.used_before) else {
            return true;
        };
        let used = cpu.used.saturating_sub(before);
        // A process that is ready to run but was not let run is no fault of its rule.
        cpu.waits || used + CPU_TICK >= limit || elapsed >= limit * STARVED_FACTOR
    }

    /// The rule in which at least half of the samples fell.
    pub(crate) fn hottest(&self) -> Option<RuleIndex> {
        let (rule, samples) = self.samples.iter().max_by_key(|(_, samples)| **samples)?;
        (*samples * 2 >= self.samples_all).then_some(*rule)
    }
}

/// Reads `/proc/<pid>/stat`; `None` on systems without it.
pub(crate) fn cpu_sample(pid: u32) -> Option<CpuSample> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; fields count from after its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux reports these in hundredths of a second on every architecture that it still supports.
    Some(CpuSample {
        used: CPU_TICK * u32::try_from(ticks).ok()?,
        waits: *fields.first()? == "S",
    })
}

/// Address space of a process in bytes; `None` where the system does not tell.
pub(crate) fn address_space_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests;
