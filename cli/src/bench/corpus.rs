//! Events for measuring, as many as are wanted, the same for the same seed. How they are made is told in
//! `benches/README.md`.

mod dice;
mod originals;
pub(super) mod people;
mod template;

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use streamalert_value::Value;

use self::originals::{Seed, cloudtrail_events, own_events, seeds};
use self::template::{Template, Vocabulary};
use super::{Inputs, Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

pub(super) use self::dice::Dice;

/// Mean size that the events are steered to.
const BYTES_MEAN: u64 = 1_450;

/// Events of one S3 object.
const OBJECT_EVENTS: usize = 100;

/// When the first event happens: 12 March 2026, 07:20:00 UTC. The others follow 10 ms apart.
const START_MICROS: i64 = 1_773_300_000_000_000;
const STEP_MICROS: i64 = 10_000;

/// Of a thousand events in the typical mix: as CloudTrail delivers them, and through EventBridge. The others are of
/// further log types, by the weights of their seeds.
const TYPICAL_CLOUDTRAIL: u64 = 450;
const TYPICAL_EVENTBRIDGE: u64 = 150;

/// Which log types, and how many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// `cloudtrail:events` only.
    Cloudtrail,
    /// What a company's streams carry.
    Typical,
}

/// What a corpus is made from.
pub(crate) struct CorpusOptions<'a> {
    /// Equal seeds give equal corpora.
    pub(crate) seed: u64,
    pub(crate) events: u64,
    pub(crate) mix: Mix,
    /// Payloads with real CloudTrail events; `None`: our own five.
    pub(crate) input: Option<&'a Path>,
}

/// Writes a corpus as JSON lines, one payload each, in the input form of `explain --in`; compressed where the name
/// ends in `.gz`.
pub(crate) fn corpus(options: &CorpusOptions<'_>, out: &Path) -> Result<Report, Failure> {
    let failed =
        |error: std::io::Error| Failure::while_doing(&format!("cannot write {}", out.display()), error);
    let mut grower = Grower::new(options)?;
    let file = std::fs::File::create(out).map_err(failed)?;
    let mut writer: Box<dyn Write> = if out.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::write::GzEncoder::new(
            file,
            flate2::Compression::default(),
        ))
    } else {
        Box::new(BufWriter::new(file))
    };
    let mut hash = Digest::new();
    while let Some(payload) = grower.next_payload() {
        let mut line = payload.to_json();
        line.push('\n');
        hash.add(line.as_bytes());
        writer.write_all(line.as_bytes()).map_err(failed)?;
    }
    writer.flush().map_err(failed)?;
    drop(writer);
    Ok(grower.report(hash.hex()))
}

/// FNV-1a over 64 bits: tells two corpora apart, and needs no dependency.
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Makes payloads, one after the other.
struct Grower {
    dice: Dice,
    mix: Mix,
    left: u64,
    /// CloudTrail events; which of them are drawn while the corpus is too small for its number of events, and
    /// which otherwise: all of them, unless they are too big.
    events: Vec<Template>,
    big: Vec<usize>,
    others: Vec<usize>,
    words: Vocabulary,
    seeds: Vec<Seed>,
    seeds_weight: u64,
    /// CloudTrail events that wait until they fill an object.
    waiting: Vec<String>,
    payloads: u64,
    made: u64,
    bytes: u64,
    /// Events and bytes by log type.
    types: BTreeMap<String, (u64, u64)>,
}

impl Grower {
    fn new(options: &CorpusOptions<'_>) -> Result<Self, Failure> {
        let mut words = Vocabulary::default();
        let originals = match options.input {
            Some(path) => cloudtrail_events(&Inputs::load(Some(path))?)?,
            None => own_events(&mut words)?,
        };
        let events: Vec<Template> = originals.iter().map(Template::of).collect();
        for event in &events {
            words.learn(event);
        }
        let sizes: Vec<u64> = events.iter().map(|event| event.usual_bytes(&words)).collect();
        let of_size = |wanted: &dyn Fn(u64) -> bool| -> Vec<usize> {
            (0..events.len()).filter(|at| wanted(sizes[*at])).collect()
        };
        let (big, small) = (
            of_size(&|size| size >= BYTES_MEAN),
            of_size(&|size| size <= BYTES_MEAN),
        );
        let all_are_big = sizes.iter().sum::<u64>() > BYTES_MEAN * sizes.len() as u64;
        let seeds = seeds()?;
        Ok(Self {
            dice: Dice::new(options.seed),
            mix: options.mix,
            left: options.events,
            others: if all_are_big {
                small
            } else {
                (0..events.len()).collect()
            },
            events,
            big,
            words,
            seeds_weight: seeds.iter().map(|seed| seed.weight).sum(),
            seeds,
            waiting: Vec::new(),
            payloads: 0,
            made: 0,
            bytes: 0,
            types: BTreeMap::new(),
        })
    }

    fn next_payload(&mut self) -> Option<Value> {
        while self.left > 0 {
            self.left -= 1;
            let share = match self.mix {
                Mix::Cloudtrail => 0,
                Mix::Typical => self.dice.below(1_000),
            };
            if share < TYPICAL_CLOUDTRAIL {
                let event = self.cloudtrail_event();
                self.count("cloudtrail:events", event.len());
                self.waiting.push(event);
                if self.waiting.len() == OBJECT_EVENTS {
                    return Some(self.object());
                }
            } else if share < TYPICAL_CLOUDTRAIL + TYPICAL_EVENTBRIDGE {
                return Some(self.eventbridge());
            } else if let Some(payload) = self.other() {
                return Some(payload);
            }
        }
        (!self.waiting.is_empty()).then(|| self.object())
    }

    fn cloudtrail_event(&mut self) -> String {
        let now = self.now();
        let too_small = self.bytes < self.made * BYTES_MEAN;
        let (wanted, otherwise) = match too_small {
            true => (&self.big, &self.others),
            false => (&self.others, &self.big),
        };
        let at = self.dice.choose(wanted).or_else(|| self.dice.choose(otherwise));
        at.and_then(|at| self.events.get(*at))
            .map(|event| event.fill(&mut self.dice, &self.words, now))
            .unwrap_or_default()
    }

    fn now(&self) -> i64 {
        START_MICROS + (self.made as i64).saturating_mul(STEP_MICROS)
    }

    fn count(&mut self, log_type: &str, bytes: usize) {
        self.made += 1;
        self.bytes += bytes as u64;
        let of_type = self.types.entry(log_type.to_owned()).or_default();
        of_type.0 += 1;
        of_type.1 += bytes as u64;
    }

    /// The waiting events as CloudTrail delivers them.
    fn object(&mut self) -> Value {
        let body = format!(r#"{{"Records":[{}]}}"#, self.waiting.join(","));
        self.waiting.clear();
        self.payload("s3", "bench.cloudtrail", "data", text(&body))
    }

    /// An event as EventBridge hands it on.
    fn eventbridge(&mut self) -> Value {
        let event = self.cloudtrail_event();
        // What the envelope repeats is at the same place in every event that we make.
        let word = |key: &str| {
            let (_, rest) = event.split_once(&format!("\"{key}\":\""))?;
            rest.split_once('"').map(|(word, _)| word)
        };
        let service = word("eventSource").unwrap_or_default();
        let source = service.split('.').next().unwrap_or_default();
        let id = people::id("3f0c2a1e-7d44-41ee-9b1d-0242ac120002", 0, &mut self.dice);
        let (account, time) = (word("recipientAccountId"), word("eventTime"));
        let envelope = format!(
            r#"{{"version":"0","id":"{id}","detail-type":"AWS API Call via CloudTrail","source":"aws.{source}","account":"{}","time":"{}","region":"{}","resources":[],"detail":{event}}}"#,
            account.unwrap_or("210500000017"),
            time.unwrap_or_default(),
            word("awsRegion").unwrap_or("us-east-1"),
        );
        self.count("cloudwatch:events", envelope.len());
        self.payload("kinesis", "bench_cloudwatch", "data", text(&envelope))
    }

    fn other(&mut self) -> Option<Value> {
        let mut at = self.dice.below(self.seeds_weight);
        let now = self.now();
        let seed = self.seeds.iter().find(|seed| {
            let hit = at < seed.weight;
            at = at.saturating_sub(seed.weight);
            hit
        })?;
        let event = seed.template.fill(&mut self.dice, &self.words, now);
        let (log_type, service) = (seed.log_type.clone(), seed.service.clone());
        self.count(&log_type, event.len());
        if service == "streamalert_app" {
            let event = Value::parse_json(event.as_bytes()).ok()?;
            return Some(self.payload(&service, "bench_app", "logs", Value::List(vec![event])));
        }
        Some(self.payload(&service, "bench_stream", "data", text(&event)))
    }

    fn payload(&mut self, service: &str, resource: &str, key: &str, data: Value) -> Value {
        self.payloads += 1;
        object([
            ("id", text(&format!("bench-{}", self.payloads))),
            ("service", text(service)),
            ("resource", text(resource)),
            (key, data),
        ])
    }

    fn report(&self, hash: String) -> Report {
        let mean = |(events, bytes): (u64, u64)| bytes as f64 / events.max(1) as f64;
        let whole = (self.made, self.bytes);
        let types = self.types.iter().map(|(name, counts)| {
            let counts = object([
                ("log_type", text(name)),
                ("events", integer(counts.0)),
                ("bytes_mean", Value::Float(mean(*counts).round())),
            ]);
            (name, counts)
        });
        let json = object([
            ("events", integer(self.made)),
            ("payloads", integer(self.payloads)),
            ("bytes_mean", Value::Float(mean(whole).round())),
            ("templates", integer(self.events.len() as u64)),
            ("hash", text(&hash)),
            (
                "log_types",
                Value::List(types.map(|(_, counts)| counts).collect()),
            ),
        ]);
        let mut lines = vec![format!(
            "corpus: {} events of {:.0} bytes in {} payloads, from {} CloudTrail events, hash {hash}",
            grouped(self.made as f64),
            mean(whole),
            grouped(self.payloads as f64),
            grouped(self.events.len() as f64),
        )];
        lines.extend(self.types.iter().map(|(name, counts)| {
            format!(
                "  {:>10} of {:>5.0} bytes  {name}",
                grouped(counts.0 as f64),
                mean(*counts)
            )
        }));
        Report { json, lines }
    }
}

#[cfg(test)]
impl Inputs {
    /// A corpus in memory.
    pub(crate) fn grow(options: &CorpusOptions<'_>) -> Result<Self, Failure> {
        let mut grower = Grower::new(options)?;
        let mut payloads = Vec::new();
        while let Some(payload) = grower.next_payload() {
            payloads.push(
                streamalert_schema::RawInput::from_value(&payload)
                    .map_err(|error| Failure::Other(error.to_string()))?,
            );
        }
        Ok(Self {
            origin: format!("{} grown events", grouped(grower.made as f64)),
            payloads,
        })
    }
}

#[cfg(test)]
mod tests;
