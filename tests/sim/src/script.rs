//! What the sources hold, and what must come of it: both follow from the seed.

use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamalert_types::{AlertId, OutputName, Position, RecordId, Sequence, Source};

/// The service that the sources claim to be.
pub(crate) const SERVICE: &str = "kinesis";

/// The log type of all records.
pub(crate) const LOG_TYPE: &str = "sim:events";

/// Payloads of one partition are numbered from a multiple of this, so that a number names a payload anywhere.
const PARTITION_NUMBERS: u64 = 1_000_000;

/// The rules. Each fires on records whose field of its name is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Goes to all outputs at once.
    Plain,
    /// Is merged by `k` for a minute.
    Grouped,
    /// The first of a group goes out at once, the others are merged by `k` for a minute.
    First,
    /// Being tried out.
    Staged,
    /// Being tried out, and merged.
    StagedGrouped,
}

impl Rule {
    pub(crate) const ALL: [Self; 5] = [
        Self::Plain,
        Self::Grouped,
        Self::First,
        Self::Staged,
        Self::StagedGrouped,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Grouped => "grouped",
            Self::First => "first",
            Self::Staged => "staged",
            Self::StagedGrouped => "staged_grouped",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    pub(crate) const fn is_grouped(self) -> bool {
        matches!(self, Self::Grouped | Self::First | Self::StagedGrouped)
    }

    pub(crate) const fn is_staged(self) -> bool {
        matches!(self, Self::Staged | Self::StagedGrouped)
    }

    /// Outputs that the rule names.
    pub(crate) fn outputs(self) -> Vec<OutputName> {
        match self {
            Self::Grouped => vec![output("sim:a")],
            _ => vec![output("sim:a"), output("sim:b")],
        }
    }

    /// Where an alert of it must arrive on its own account.
    pub(crate) fn own_deliveries(self) -> Vec<OutputName> {
        match self {
            Self::Plain => vec![OutputName::history(), output("sim:a"), output("sim:b")],
            _ => vec![OutputName::history()],
        }
    }

    /// Where a group of its alerts must arrive.
    pub(crate) fn group_deliveries(self) -> Vec<OutputName> {
        match self {
            Self::Grouped => vec![OutputName::history(), output("sim:a")],
            Self::First => vec![OutputName::history(), output("sim:a"), output("sim:b")],
            _ => vec![OutputName::history()],
        }
    }
}

pub(crate) fn output(name: &str) -> OutputName {
    name.parse().expect("a name with a colon")
}

/// One payload and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    pub(crate) number: u64,
    pub(crate) body: Bytes,
    pub(crate) key: u64,
    pub(crate) rules: Vec<Rule>,
}

/// What one partition holds.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) source: Arc<Source>,
    pub(crate) partition: Arc<str>,
    pub(crate) payloads: Vec<Scripted>,
}

impl Script {
    /// `count` payloads of partition `partition`, with `keys` different merge keys.
    pub(crate) fn new(seed: u64, partition: u64, count: u64, keys: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ (partition << 32));
        let payloads = (0..count)
            .map(|at| {
                scripted(
                    partition * PARTITION_NUMBERS + at,
                    rng.random_range(0..keys),
                    &mut rng,
                )
            })
            .collect();
        Self {
            source: source(),
            partition: format!("shard-{partition}").into(),
            payloads,
        }
    }

    pub(crate) fn position(&self, at: usize) -> Position {
        Position {
            partition: self.partition.clone(),
            sequence: Sequence::Offset(at as u64),
        }
    }

    /// The alerts that payload `at` must raise.
    pub(crate) fn alerts(&self, at: usize) -> impl Iterator<Item = (AlertId, Rule)> {
        let record = RecordId::new(&self.source, &self.position(at), 0);
        let rules = self
            .payloads
            .get(at)
            .into_iter()
            .flat_map(|payload| &payload.rules);
        rules.map(move |rule| (AlertId::new(record, rule.name()), *rule))
    }
}

pub(crate) fn source() -> Arc<Source> {
    Arc::new(Source {
        service: SERVICE.into(),
        resource: "logs".into(),
        cluster: None,
    })
}

fn scripted(number: u64, key: u64, rng: &mut StdRng) -> Scripted {
    let rules: Vec<Rule> = Rule::ALL
        .into_iter()
        .filter(|rule| rng.random_bool(if rule.is_staged() { 0.15 } else { 0.5 }))
        .collect();
    let flag = |rule: Rule| u8::from(rules.contains(&rule));
    let body = format!(
        r#"{{"k":"key-{key}","all":"same","n":{number},"plain":{},"grouped":{},"first":{},"staged":{},"staged_grouped":{}}}"#,
        flag(Rule::Plain),
        flag(Rule::Grouped),
        flag(Rule::First),
        flag(Rule::Staged),
        flag(Rule::StagedGrouped),
    );
    Scripted {
        number,
        body: body.into(),
        key,
        rules,
    }
}

/// Every number that a record names: of a merged one, those of its members.
pub(crate) fn numbers(record: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(record);
    let number = |rest: &str| {
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    text.split("\"n\":").skip(1).filter_map(number).collect()
}

/// Whether a record asks `rule` to fire.
pub(crate) fn fires(record: &[u8], rule: Rule) -> bool {
    let text = String::from_utf8_lossy(record);
    let name = format!("\"{}\":", rule.name());
    text.split_once(&name)
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('1'))
}
