use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_detect::RuleSet;
use streamalert_types::Record;
use streamalert_value::Value;

use super::engine::{Counts, RuleTime};
use super::passes::Passes;
use super::{Report, grouped};
use crate::explain::{integer, object, text};

/// Rules that are named for being slow.
const SLOWEST: usize = 10;

/// What a stage of rules came to, as it is told.
pub(super) struct Measured<'a> {
    pub(super) stage: &'a str,
    pub(super) engine: &'static str,
    pub(super) origin: &'a str,
    /// How often it was measured.
    pub(super) passes: u16,
    pub(super) rules: &'a RuleSet,
    pub(super) names: &'a [String],
    pub(super) records: &'a [Record],
    /// Bytes that one pass reads.
    pub(super) bytes: u64,
    pub(super) counts: Counts,
    pub(super) total: Passes,
    pub(super) worker: Passes,
    pub(super) threads: Option<Threads>,
    /// What each rule takes in the engine.
    pub(super) rule_times: Option<Vec<RuleTime>>,
    /// The same in CPython, where the engine cannot tell and nothing is compared.
    pub(super) elsewhere: Option<Vec<RuleTime>>,
    pub(super) compared: Option<Compared>,
}

/// The same work on one thread and on several, in turn.
pub(super) struct Threads {
    pub(super) number: u64,
    /// Time that passed for an event, on one thread.
    pub(super) one: Passes,
    /// The same on all, for an event of any of them.
    pub(super) all: Passes,
    /// Computing time of an event while all run.
    pub(super) all_computing: Passes,
}

impl Threads {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            one: Passes::default(),
            all: Passes::default(),
            all_computing: Passes::default(),
        }
    }

    /// By how much computing time says that threads are more than one: their number, less what they cost each
    /// other. On a machine that does other things at the same time this is the figure to trust.
    fn scaling_by_computing(&self, one: &Passes) -> f64 {
        self.number as f64 * self.all_computing.speed_against(one)
    }
}

/// The same records and rules in CPython.
pub(super) struct Compared {
    pub(super) python: String,
    /// The module that read the records.
    pub(super) json: String,
    pub(super) passes: Passes,
    pub(super) alerts: u64,
    pub(super) exceptions: u64,
    pub(super) rule_times: Vec<RuleTime>,
}

impl Measured<'_> {
    fn events(&self) -> f64 {
        self.records.len() as f64
    }

    fn pairs(&self) -> u64 {
        let applying = |record: &Record| self.rules.for_log_type(&record.log_type).len() as u64;
        self.records.iter().map(applying).sum()
    }

    fn log_types(&self) -> BTreeMap<Arc<str>, u64> {
        let mut counts = BTreeMap::new();
        for record in self.records {
            *counts.entry(record.log_type.clone()).or_default() += 1;
        }
        counts
    }

    fn enabled(&self) -> u64 {
        let enabled = self.rules.rules().iter().filter(|rule| !rule.disabled);
        enabled.count() as u64
    }

    /// Rates of passes, as every side has them.
    fn rates(&self, passes: &Passes, pairs: u64) -> [(&'static str, Value); 4] {
        let best = passes.best();
        [
            ("events_per_core_s", finite((1.0 / best).round())),
            (
                "bytes_per_core_s",
                finite((self.bytes as f64 / self.events() / best).round()),
            ),
            ("ns_per_pair", finite(best * 1e9 * self.events() / pairs as f64)),
            (
                "median_events_per_core_s",
                finite((1.0 / passes.median()).round()),
            ),
        ]
    }

    pub(super) fn report(&self) -> Report {
        let pairs = self.pairs();
        Report {
            json: self.json(pairs),
            lines: self.lines(pairs),
        }
    }

    fn json(&self, pairs: u64) -> Value {
        let mut json = object([
            ("stage", text(self.stage)),
            ("input", text(self.origin)),
            ("engine", text(self.engine)),
            ("rules", integer(self.enabled())),
            ("events", integer(self.records.len() as u64)),
            ("bytes", integer(self.bytes)),
            ("pairs", integer(pairs)),
            ("pairs_per_event", finite(pairs as f64 / self.events())),
            ("alerts", integer(self.counts.alerts())),
            ("exceptions", integer(self.counts.exceptions())),
            ("unknown", integer(self.counts.unknown)),
            ("worker_ns_per_event", Value::Float(self.worker.best() * 1e9)),
        ]);
        extend(&mut json, self.rates(&self.total, pairs));
        extend(&mut json, [("alerts_by_rule", self.by_rule(&self.counts.fired))]);
        let raised = self.by_rule(&self.counts.raised);
        extend(&mut json, [("exceptions_by_rule", raised)]);
        if let Some(times) = self.rule_times.as_ref().or(self.elsewhere.as_ref()) {
            extend(&mut json, [("slowest", rows(times))]);
        }
        if let Some(threads) = &self.threads {
            let told = object([
                ("threads", integer(threads.number)),
                ("events_per_s", finite((1.0 / threads.all.best()).round())),
                ("events_per_s_one", finite((1.0 / threads.one.best()).round())),
                ("scaling", finite(threads.all.speed_against(&threads.one))),
                (
                    "scaling_by_computing",
                    finite(threads.scaling_by_computing(&self.total)),
                ),
            ]);
            extend(&mut json, [("threads", told)]);
        }
        if let Some(compared) = &self.compared {
            extend(&mut json, [("cpython", self.rival(compared, pairs))]);
            let speed = finite(self.total.speed_against(&compared.passes));
            extend(&mut json, [("speed_against_cpython", speed)]);
            if let Some(times) = &self.rule_times {
                let slower = slower(times, &compared.rule_times);
                let names = slower.iter().map(|(name, ..)| text(name)).collect();
                extend(&mut json, [("slower_than_cpython", Value::List(names))]);
            }
        }
        json
    }

    fn rival(&self, compared: &Compared, pairs: u64) -> Value {
        let mut json = object([
            ("python", text(&compared.python)),
            ("json", text(&compared.json)),
            ("alerts", integer(compared.alerts)),
            ("exceptions", integer(compared.exceptions)),
        ]);
        extend(&mut json, self.rates(&compared.passes, pairs));
        extend(&mut json, [("slowest", rows(&compared.rule_times))]);
        json
    }

    /// Numbers other than 0 by name.
    fn by_rule(&self, counts: &[u64]) -> Value {
        let counts = self.names.iter().zip(counts);
        Value::Map(
            counts
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| (name.clone(), integer(*count)))
                .collect(),
        )
    }

    fn lines(&self, pairs: u64) -> Vec<String> {
        let pairs_per_event = pairs as f64 / self.events();
        let way = match self.stage {
            "all" => "payload to rule results",
            _ => "records to rule results",
        };
        let mut lines = vec![format!(
            "{}: {}, {way}, {} rules in {}, best and median of {} passes",
            self.stage,
            self.origin,
            grouped(self.enabled() as f64),
            self.engine,
            self.passes,
        )];
        let types = self.log_types();
        let types = types
            .iter()
            .map(|(name, count)| format!("{} {name}", grouped(*count as f64)));
        lines.push(format!("  {}", types.collect::<Vec<_>>().join(", ")));
        lines.push(format!(
            "  {} alerts, {} exceptions, {pairs_per_event:.2} rules apply to an event of {:.0} bytes",
            grouped(self.counts.alerts() as f64),
            grouped(self.counts.exceptions() as f64),
            self.bytes as f64 / self.events(),
        ));
        lines.push(self.row(self.engine, &self.total, pairs));
        if self.worker.best() > 0.0 {
            lines.push(format!(
                "    {:.2} µs an event, {:.2} of it in workers",
                self.total.best() * 1e6,
                self.worker.best() * 1e6,
            ));
        }
        if self.counts.unknown > 0 {
            lines.push(format!(
                "  {} pairs were not evaluated: rules timed out, were killed or are suspended",
                self.counts.unknown
            ));
        }
        if let Some(threads) = &self.threads {
            lines.push(format!(
                "  {} threads: {} events/s against {} on one: {:.2} ×; by computing time {:.2} ×",
                threads.number,
                grouped(1.0 / threads.all.best()),
                grouped(1.0 / threads.one.best()),
                threads.all.speed_against(&threads.one),
                threads.scaling_by_computing(&self.total),
            ));
        }
        if let Some(compared) = &self.compared {
            let name = format!("cpython {}, {}", compared.python, compared.json);
            lines.push(self.row(&name, &compared.passes, pairs));
            lines.push(format!(
                "  {:.2} × the speed of cpython; the same alerts, rule by rule",
                self.total.speed_against(&compared.passes)
            ));
        }
        lines.extend(self.slowest_lines());
        lines
    }

    fn slowest_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let compared = self.compared.as_ref().map(|compared| &compared.rule_times);
        let theirs = compared.or(self.elsewhere.as_ref());
        if let Some(times) = &self.rule_times {
            lines.push(format!("  slowest rules in {}:", self.engine));
            lines.extend(slowest(times).map(line));
            if let Some(theirs) = theirs {
                let slower = slower(times, theirs);
                lines.extend(slower.iter().map(|(name, ours, theirs)| {
                    format!("  slower than cpython: {name}: {ours:.0} ns, cpython {theirs:.0}")
                }));
            }
        } else if let Some(theirs) = theirs {
            lines.push("  slowest rules in cpython:".to_owned());
            lines.extend(slowest(theirs).map(line));
        }
        lines
    }

    fn row(&self, name: &str, passes: &Passes, pairs: u64) -> String {
        let best = passes.best();
        format!(
            "  {name:<24} {:>10} events/s {:>6.0} MB/s {:>6.0} ns a pair   median {:>10} events/s",
            grouped(1.0 / best),
            self.bytes as f64 / self.events() / best / 1e6,
            best * 1e9 * self.events() / pairs as f64,
            grouped(1.0 / passes.median()),
        )
    }
}

fn extend<const N: usize>(json: &mut Value, entries: [(&str, Value); N]) {
    if let Value::Map(map) = json {
        map.extend(entries.map(|(key, value)| (key.to_owned(), value)));
    }
}

fn slowest(times: &[RuleTime]) -> impl Iterator<Item = &RuleTime> {
    let mut sorted: Vec<&RuleTime> = times.iter().collect();
    sorted.sort_by(|one, two| two.ns.total_cmp(&one.ns));
    sorted.into_iter().take(SLOWEST)
}

fn line(time: &RuleTime) -> String {
    let pairs = grouped(time.pairs as f64);
    format!("    {:>8.0} ns  {} ({pairs} pairs)", time.ns, time.name)
}

fn rows(times: &[RuleTime]) -> Value {
    let row = |time: &RuleTime| {
        object([
            ("rule", text(&time.name)),
            ("ns_per_pair", finite(time.ns)),
            ("pairs", integer(time.pairs)),
        ])
    };
    Value::List(slowest(times).map(row).collect())
}

/// Rules that take longer than in CPython: name, ours, theirs.
fn slower<'a>(ours: &'a [RuleTime], theirs: &[RuleTime]) -> Vec<(&'a str, f64, f64)> {
    let theirs: BTreeMap<&str, f64> = theirs.iter().map(|time| (time.name.as_str(), time.ns)).collect();
    ours.iter()
        .filter_map(|time| {
            let other = *theirs.get(time.name.as_str())?;
            (time.ns > other).then_some((time.name.as_str(), time.ns, other))
        })
        .collect()
}

/// JSON knows no infinity: no pair at all.
fn finite(number: f64) -> Value {
    if number.is_finite() {
        Value::Float(number)
    } else {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(name: &str, ns: f64) -> RuleTime {
        RuleTime {
            name: name.to_owned(),
            pairs: 1,
            ns,
        }
    }

    #[test]
    fn a_rule_that_is_slower_than_in_cpython_is_found_by_name() {
        let ours = [time("a", 10.0), time("b", 30.0), time("only ours", 99.0)];
        let theirs = [time("b", 20.0), time("a", 11.0)];
        assert_eq!(slower(&ours, &theirs), [("b", 30.0, 20.0)]);
    }
}
