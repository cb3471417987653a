use std::collections::{BTreeMap, BTreeSet};

use streamalert_config::nearest;
use streamalert_detect::{RuleException, RuleInfo, RuleOutcome};
use streamalert_schema::Unit;
use streamalert_value::Value;

use super::event::Content;
use super::mismatch::{Mismatch, PublisherMismatch, Silence};
use super::publisher_test::{PublisherTest, Unmet};
use super::runner::RuleBook;

/// What became of a test event.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The units that its data was taken apart into.
    pub(crate) units: Vec<Unit>,
    /// Why the expected log type did not take it.
    pub(crate) refusal: Option<String>,
    /// Rules and what came of them, over all records.
    pub(crate) outcomes: Vec<(String, RuleOutcome)>,
    pub(crate) alerts: Vec<SeenAlert>,
}

/// One alert: what each output would get, or why its publisher failed.
#[derive(Debug, Clone)]
pub(crate) struct SeenAlert {
    pub(crate) rule: String,
    pub(crate) publications: BTreeMap<String, Result<Value, String>>,
}

/// Whether an event did what its test says.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The log types it became.
    pub(crate) classified: Vec<String>,
    /// Rules that should have fired; those switched off left out, as StreamAlert does.
    pub(crate) expected: BTreeSet<String>,
    pub(crate) fired: BTreeSet<String>,
    pub(crate) disabled: BTreeSet<String>,
    /// Rules that raised, expected or not.
    pub(crate) raised: Vec<(String, RuleException)>,
    /// Every publisher test that ran.
    pub(crate) publisher_tests_held: usize,
    /// All that is wrong; empty when the test passed.
    pub(crate) mismatches: Vec<Mismatch>,
    /// What deserves a look but fails nothing.
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    /// Whether one of `rules` fired that must not.
    pub(crate) fn is_fired_by(&self, rules: &BTreeSet<String>) -> bool {
        self.mismatches.iter().any(|mismatch| match mismatch {
            Mismatch::Rules { unexpected, .. } => unexpected.iter().any(|(rule, _)| rules.contains(rule)),
            _ => false,
        })
    }

    /// The verdict on an event that could not be run.
    pub(crate) fn not_run(mismatch: Mismatch) -> Self {
        Self {
            mismatches: vec![mismatch],
            ..Self::default()
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Compares what a test event says with what was seen. Without `book` only its classification.
    pub(crate) fn of(content: &Content, seen: &Seen, book: Option<&RuleBook>) -> Self {
        let mut verdict = Self {
            notes: content.notes.clone(),
            ..Self::default()
        };
        verdict.classification(content, seen);
        if let Some(book) = book.filter(|_| !content.classify_only) {
            verdict.expect(content, book);
            // Without a record every rule would be missing, which says nothing more.
            if !verdict.classified.is_empty() {
                verdict.rules(seen, book);
                verdict.publishers(&content.publisher_tests, &seen.alerts);
            }
        }
        verdict
    }

    fn classification(&mut self, content: &Content, seen: &Seen) {
        for log_type in seen.units.iter().filter_map(|unit| unit.log_type.as_deref()) {
            if !self.classified.iter().any(|known| known == log_type) {
                self.classified.push(log_type.to_owned());
            }
        }
        let failures = || seen.units.iter().flat_map(|unit| &unit.failures);
        if self.classified == [content.log.as_str()] {
            let log = &content.log;
            self.notes.extend(
                failures().map(|failure| format!("{log} did not take all of it: {}", failure.reason)),
            );
            return;
        }
        self.mismatches.push(Mismatch::Classification {
            expected: content.log.clone(),
            actual: self.classified.clone(),
            refusal: seen.refusal.as_ref().map(|refusal| {
                let is_alone = content.is_record_only() && refusal.starts_with("nothing at json_path");
                let advice = "; override_record is the record alone, so write the payload under data";
                format!("{refusal}{}", if is_alone { advice } else { "" })
            }),
            refused: failures().cloned().collect(),
        });
    }

    fn expect(&mut self, content: &Content, book: &RuleBook) {
        let is_disabled = |name: &&String| book.find(name).is_some_and(|rule| rule.disabled);
        self.disabled = content
            .trigger_rules
            .iter()
            .filter(is_disabled)
            .cloned()
            .collect();
        self.expected = content
            .trigger_rules
            .difference(&self.disabled)
            .cloned()
            .collect();
        let note = |name: &String| format!("{name} is disabled, so it is not expected to fire");
        self.notes.extend(self.disabled.iter().map(note));
    }

    fn rules(&mut self, seen: &Seen, book: &RuleBook) {
        for (name, outcome) in &seen.outcomes {
            match outcome {
                RuleOutcome::Fired(_) => _ = self.fired.insert(name.clone()),
                RuleOutcome::Exception(raised) => self.raised.push((name.clone(), raised.clone())),
                _ => {}
            }
        }
        for (name, raised) in &self.raised {
            if !self.expected.contains(name) || self.fired.contains(name) {
                self.notes
                    .push(format!("{name} raised {}: {}", raised.kind, raised.message));
            }
        }
        for (name, outcome) in seen
            .outcomes
            .iter()
            .filter(|(name, _)| !self.expected.contains(name))
        {
            if let Some(how) = stopped(outcome) {
                self.notes.push(format!("{name}: {how}"));
            }
        }
        if self.fired == self.expected {
            return;
        }
        let place = |name: &String| {
            book.find(name)
                .map(|rule| format!("{}:{}", rule.file.display(), rule.line))
                .unwrap_or_default()
        };
        let missing = self.expected.difference(&self.fired);
        self.mismatches.push(Mismatch::Rules {
            matched: self.expected.intersection(&self.fired).cloned().collect(),
            missing: missing
                .map(|name| (name.clone(), self.silence(name, seen, book)))
                .collect(),
            unexpected: self
                .fired
                .difference(&self.expected)
                .map(|name| (name.clone(), place(name)))
                .collect(),
        });
    }

    /// Why a rule did not fire on any record.
    fn silence(&self, name: &str, seen: &Seen, book: &RuleBook) -> Silence {
        let Some(rule) = book.find(name) else {
            return Silence::Absent(book.hint(name));
        };
        let outcomes = || {
            seen.outcomes
                .iter()
                .filter(|(other, _)| other == name)
                .map(|(_, outcome)| outcome)
        };
        // With several records, the one that tells most.
        if let Some(raised) = outcomes().find_map(|outcome| match outcome {
            RuleOutcome::Exception(raised) => Some(raised.clone()),
            _ => None,
        }) {
            return Silence::Raised(raised);
        }
        if let Some(how) = outcomes().find_map(stopped) {
            return Silence::Stopped(how);
        }
        if outcomes().any(|outcome| matches!(outcome, RuleOutcome::False)) {
            return Silence::False;
        }
        if !self.classified.iter().any(|log_type| rule.applies_to(log_type)) {
            return Silence::OtherLogs(rule.logs.iter().flatten().map(ToString::to_string).collect());
        }
        Silence::NotRun
    }

    fn publishers(&mut self, tests: &[PublisherTest], alerts: &[SeenAlert]) {
        for alert in alerts {
            for (output, publication) in &alert.publications {
                if let Err(reason) = publication {
                    self.notes.push(format!(
                        "publisher of {output} failed on the alert of {}: {reason}",
                        alert.rule
                    ));
                }
            }
        }
        if alerts.is_empty() && !tests.is_empty() {
            self.notes
                .push("no alert, so no publisher test was run".to_owned());
        }
        let mut by_output: BTreeMap<&str, Vec<&PublisherTest>> = BTreeMap::new();
        for test in tests {
            by_output.entry(&test.output).or_default().push(test);
        }
        for (output, tests) in by_output {
            let (rule, unmet) = closest(output, &tests, alerts);
            self.publisher_tests_held += if alerts.is_empty() {
                0
            } else {
                tests.len() - unmet.len()
            };
            self.mismatches.extend(unmet.into_iter().map(|(test, unmet)| {
                Mismatch::Publisher(PublisherMismatch {
                    output: output.to_owned(),
                    line: test.line,
                    expression: test.expression.clone(),
                    rule: rule.clone(),
                    unmet,
                })
            }));
        }
    }
}

/// The alert that the tests of one output fit best, and the tests that it fails. StreamAlert counts what the last
/// alert of an event says, whichever rule raised it; any alert that passes all is enough here, so its files pass.
fn closest<'a>(
    output: &str,
    tests: &[&'a PublisherTest],
    alerts: &[SeenAlert],
) -> (Option<String>, Vec<(&'a PublisherTest, Unmet)>) {
    let against = |publication: &Result<Value, String>| -> Vec<(&'a PublisherTest, Unmet)> {
        let hold = |test: &&'a PublisherTest| match publication {
            Ok(publication) => test.hold_against(publication).err(),
            Err(reason) => Some(Unmet::Invalid(format!("the publisher failed: {reason}"))),
        };
        tests
            .iter()
            .filter_map(|test| Some((*test, hold(test)?)))
            .collect()
    };
    let candidates = alerts.iter().rev().filter_map(|alert| {
        let publication = alert.publications.get(output)?;
        Some((Some(alert.rule.clone()), against(publication)))
    });
    candidates
        .min_by_key(|(_, unmet)| unmet.len())
        .unwrap_or_else(|| {
            // A malformed test is one even where no alert could show it.
            let malformed =
                |test: &&'a PublisherTest| Some((*test, Unmet::Invalid(test.malformed()?.to_owned())));
            if alerts.is_empty() {
                return (None, tests.iter().filter_map(malformed).collect());
            }
            let outputs: BTreeSet<&str> = alerts
                .iter()
                .flat_map(|alert| alert.publications.keys())
                .map(String::as_str)
                .collect();
            let outputs: Vec<&str> = outputs.into_iter().collect();
            let reason = format!("no alert goes to this output; they go to {}", outputs.join(", "));
            (
                None,
                tests
                    .iter()
                    .map(|test| (*test, Unmet::Invalid(reason.clone())))
                    .collect(),
            )
        })
}

/// How a rule was kept from an answer, if it was.
fn stopped(outcome: &RuleOutcome) -> Option<String> {
    match outcome {
        RuleOutcome::TimedOut { limit } => Some(format!(
            "stopped after its time limit of {} ms",
            limit.as_millis()
        )),
        RuleOutcome::Killed(reason) => Some(format!("gave no answer: {reason}")),
        RuleOutcome::Suspended => Some("is suspended, because it broke its limits before".to_owned()),
        RuleOutcome::Fired(_) | RuleOutcome::False | RuleOutcome::NotRun | RuleOutcome::Exception(_) => None,
    }
}

impl RuleBook {
    fn find(&self, name: &str) -> Option<&RuleInfo> {
        self.rules.find(name).map(|(_, rule)| &**rule)
    }

    /// What may be meant by a name that no rule has.
    pub(crate) fn hint(&self, name: &str) -> String {
        if let Some(near) = nearest(name, self.rules.rules().iter().map(|rule| &*rule.name)) {
            return format!("did you mean {near:?}?");
        }
        self.load_errors
            .first()
            .map(|error| format!("not everything loaded: {error}"))
            .unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
