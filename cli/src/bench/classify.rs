use std::collections::BTreeSet;
use std::time::Duration;

use streamalert_schema::{Payload, RawInput, SchemaSet, Scratch, Selection, Tally, builtin_schemas};
use streamalert_types::{Position, Sequence};
use streamalert_value::Value;

use super::cpu::thread_time;
use super::passes::Passes;
use super::{Inputs, Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Measured this often. Within a pass, own families and all types take turns round by round, so that whatever
/// disturbs the machine disturbs both.
const PASSES: usize = 9;

/// Computing time of one pass at least, for each of the two.
const PASS_MIN: Duration = Duration::from_millis(250);

/// Payloads of one form and what classifying them takes.
struct Group {
    name: String,
    payloads: usize,
    /// The families that its records turned out to be of; the ones a source of such payloads would name.
    families: Vec<String>,
    tally: Tally,
    own: Passes,
    all: Passes,
}

/// From payload to classified records, on one thread, with the built-in schemas: sources that name just the
/// families of what they carry, against sources that name every type.
pub(crate) fn classify(inputs: &Inputs) -> Result<Report, Failure> {
    let schemas = builtin()?;
    let types = schemas.log_types().count();
    let mut groups = vec![measure("all payloads", &inputs.payloads, &schemas)?];
    let forms = inputs.by_form();
    if forms.len() > 1 {
        for (name, payloads) in &forms {
            groups.push(measure(name, payloads, &schemas)?);
        }
    }
    Ok(report(&inputs.origin, types, &groups))
}

fn builtin() -> Result<SchemaSet, Failure> {
    let mut definitions = Vec::new();
    for (file, json) in builtin_schemas() {
        let value = Value::parse_json(json.as_bytes()).map_err(|error| Failure::while_doing(file, error))?;
        let Value::Map(entries) = value else {
            return Err(Failure::while_doing(file, "not an object"));
        };
        definitions.extend(entries);
    }
    Ok(SchemaSet::compile(&definitions).0)
}

fn measure(name: &str, payloads: &[RawInput], schemas: &SchemaSet) -> Result<Group, Failure> {
    let everything = schemas.select_all();
    let mut scratch = Scratch::new();
    let families: Vec<String> = families(payloads, &everything, &mut scratch)
        .into_iter()
        .collect();
    let named = match families.as_slice() {
        // Nothing matched: there is no family to compare with.
        [] => everything.clone(),
        families => schemas
            .select(families)
            .map_err(|unknown| Failure::Other(format!("{unknown:?}")))?,
    };
    let mut tally = Tally::default();
    tally.add(&named, payloads, &mut scratch);
    let mut all_tally = Tally::default();
    all_tally.add(&everything, payloads, &mut scratch);
    if (tally.events, tally.failed) != (all_tally.events, all_tally.failed) {
        let message = format!("{name}: {tally:?} with {families:?} but {all_tally:?} with all types");
        return Err(Failure::Other(message));
    }
    let once = round(payloads, &named, &mut scratch).max(Duration::from_micros(1));
    let rounds = u64::try_from(PASS_MIN.as_nanos() / once.as_nanos()).unwrap_or(u64::MAX) + 1;
    let (mut own, mut all) = (Passes::default(), Passes::default());
    for _ in 0..PASSES {
        let (mut own_time, mut all_time) = (Duration::ZERO, Duration::ZERO);
        for at in 0..rounds {
            // Each goes first as often as the other: the first finds the caches warmed by the second.
            if at % 2 == 0 {
                own_time += round(payloads, &named, &mut scratch);
                all_time += round(payloads, &everything, &mut scratch);
            } else {
                all_time += round(payloads, &everything, &mut scratch);
                own_time += round(payloads, &named, &mut scratch);
            }
        }
        own.add(own_time, tally.events * rounds);
        all.add(all_time, tally.events * rounds);
    }
    Ok(Group {
        name: name.to_owned(),
        payloads: payloads.len(),
        families,
        tally,
        own,
        all,
    })
}

/// Computing time of classifying all payloads once.
fn round(payloads: &[RawInput], selection: &Selection, scratch: &mut Scratch) -> Duration {
    let begun = thread_time();
    std::hint::black_box(Tally::default()).add(selection, payloads, scratch);
    thread_time() - begun
}

fn families(payloads: &[RawInput], everything: &Selection, scratch: &mut Scratch) -> BTreeSet<String> {
    let position = Position {
        partition: "bench".into(),
        sequence: Sequence::Offset(0),
    };
    let mut families = BTreeSet::new();
    for input in payloads {
        let payload = Payload {
            source: &input.source,
            position: &position,
            body: input.body(),
        };
        for unit in everything.classify(&payload, scratch).units {
            if let Some(log_type) = unit.log_type {
                families.insert(log_type.split(':').next().unwrap_or_default().to_owned());
            }
        }
    }
    families
}

impl Group {
    /// Events and bytes per second of one core, at so many seconds an event.
    fn rates(&self, secs: f64) -> (f64, f64) {
        let bytes_per_event = self.tally.bytes as f64 / (self.tally.events.max(1) as f64);
        (1.0 / secs, bytes_per_event / secs)
    }

    fn json(&self) -> Value {
        let rates = |passes: &Passes| {
            let (best, median) = (self.rates(passes.best()), self.rates(passes.median()));
            object([
                ("events_per_core_s", Value::Float(best.0.round())),
                ("bytes_per_core_s", Value::Float(best.1.round())),
                ("median_events_per_core_s", Value::Float(median.0.round())),
                ("median_bytes_per_core_s", Value::Float(median.1.round())),
            ])
        };
        object([
            ("payloads", integer(self.payloads as u64)),
            ("name", text(&self.name)),
            ("events", integer(self.tally.events)),
            ("failed", integer(self.tally.failed)),
            ("bytes", integer(self.tally.bytes)),
            (
                "families",
                Value::List(self.families.iter().map(|family| text(family)).collect()),
            ),
            ("own_families", rates(&self.own)),
            ("all_types", rates(&self.all)),
            (
                "speed_all_to_own",
                Value::Float(self.all.speed_against(&self.own)),
            ),
        ])
    }

    fn lines(&self, types: usize) -> Vec<String> {
        let Tally {
            events,
            failed,
            bytes,
        } = self.tally;
        let mut lines = vec![format!(
            "  {}: {} payloads, {} events of {:.0} bytes, {failed} of them unclassified",
            self.name,
            self.payloads,
            grouped(events as f64),
            bytes as f64 / (events.max(1) as f64),
        )];
        let row = |name: &str, passes: &Passes| {
            let (best, median) = (self.rates(passes.best()), self.rates(passes.median()));
            format!(
                "    {name:<40} {:>10} events/s {:>6.0} MB/s   median {:>10} events/s {:>6.0} MB/s",
                grouped(best.0),
                best.1 / 1e6,
                grouped(median.0),
                median.1 / 1e6,
            )
        };
        lines.push(row(
            &format!("source names {}", self.families.join(" and ")),
            &self.own,
        ));
        lines.push(row(&format!("source names all {types} types"), &self.all));
        lines.push(format!(
            "    all types against its own: {:.3} × the speed",
            self.all.speed_against(&self.own)
        ));
        lines
    }
}

fn report(origin: &str, types: usize, groups: &[Group]) -> Report {
    let mut lines = vec![format!(
        "classify: {origin}, per core, best and median of {PASSES} passes"
    )];
    lines.extend(groups.iter().flat_map(|group| group.lines(types)));
    let (events, bytes) = groups
        .first()
        .map_or((f64::NAN, f64::NAN), |whole| whole.rates(whole.own.best()));
    let json = object([
        ("stage", text("classify")),
        ("input", text(origin)),
        ("events_per_core_s", Value::Float(events.round())),
        ("bytes_per_core_s", Value::Float(bytes.round())),
        ("types", integer(types as u64)),
        ("groups", Value::List(groups.iter().map(Group::json).collect())),
    ]);
    Report { json, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_events_are_all_cloudtrail_whatever_the_source_names() {
        let schemas = builtin().unwrap();
        let inputs = Inputs::generate().unwrap();
        let mut scratch = Scratch::new();
        let found = families(&inputs.payloads, &schemas.select_all(), &mut scratch);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["cloudtrail"]);
        let mut tally = Tally::default();
        tally.add(
            &schemas.select(&["cloudtrail"]).unwrap(),
            &inputs.payloads,
            &mut scratch,
        );
        assert_eq!((tally.events, tally.failed), (4_000, 0));
    }
}
