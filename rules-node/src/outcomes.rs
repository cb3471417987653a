//! From rule outcomes to alerts and dead letters: the pure core of the rules-node.

use std::sync::Arc;

use streamalert_detect::{
    AlertStamp, RecordOutcome, RuleException, RuleIndex, RuleOutcome, RuleSet, build_alert,
};
use streamalert_types::{Alert, DeadLetter, DeadLetterId, DeadLetterKind, Record, Timestamp, Traceparent};

/// What came of a batch of records.
#[derive(Debug, Default)]
pub struct Findings {
    /// Alerts of the rules that fired, in record order, then rule order.
    pub alerts: Vec<Arc<Alert>>,
    /// Records on which a rule was killed: whether it would have fired is unknown, so the record is kept.
    pub letters: Vec<DeadLetter>,
    /// What went wrong, for the statistics.
    pub failures: Vec<Failure>,
    /// Records that raised an alert or became a dead letter, in record order.
    pub raised: Vec<Raised>,
}

/// A record of which something came.
#[derive(Debug)]
pub struct Raised {
    /// Its place among the outcomes.
    pub index: usize,
    /// The record.
    pub record: Record,
    /// The rules that fired.
    pub fired: Vec<Arc<str>>,
    /// Why a rule gave no answer.
    pub killed: Option<String>,
}

/// A rule that gave no answer on a record.
#[derive(Debug)]
pub struct Failure {
    /// The rule.
    pub rule: RuleIndex,
    /// What happened.
    pub outcome: RuleOutcome,
    /// The record it happened on.
    pub record: Record,
}

/// Turns outcomes into [`Findings`] for one batch.
#[derive(Debug)]
pub struct FindingsMaker<'a> {
    /// The rules that were evaluated.
    pub rules: &'a RuleSet,
    /// When.
    pub now: Timestamp,
    /// Whether alerts carry the trace context of their record.
    pub traced: bool,
}

impl FindingsMaker<'_> {
    /// Alerts, dead letters and failures of `outcomes`.
    #[must_use]
    pub fn make(&self, outcomes: Vec<RecordOutcome>) -> Findings {
        let mut stamp = AlertStamp {
            created: self.now,
            staged: false,
            traceparent: "".into(),
            rules_version: self.rules.version().clone(),
        };
        let mut findings = Findings::default();
        for (index, RecordOutcome { record, results }) in outcomes.into_iter().enumerate() {
            let (mut fired_rules, mut killed) = (Vec::new(), None);
            for result in results {
                let Some(rule) = self.rules.get(result.rule) else {
                    continue;
                };
                match result.outcome {
                    RuleOutcome::Fired(fired) => {
                        if self.traced && fired_rules.is_empty() {
                            stamp.traceparent = Traceparent::evaluated(&record).to_string().into();
                        }
                        fired_rules.push(rule.name.clone());
                        findings
                            .alerts
                            .push(Arc::new(build_alert(&record, rule, fired, &stamp)));
                    }
                    RuleOutcome::False | RuleOutcome::NotRun => {}
                    outcome => {
                        if let Some(reason) = killed_reason(&outcome) {
                            let letter = self.letter(&record, &rule.name, &reason);
                            killed.get_or_insert_with(|| letter.reason.clone());
                            findings.letters.push(letter);
                        }
                        findings.failures.push(Failure {
                            rule: result.rule,
                            outcome,
                            record: record.clone(),
                        });
                    }
                }
            }
            if killed.is_some() || !fired_rules.is_empty() {
                findings.raised.push(Raised {
                    index,
                    record,
                    fired: fired_rules,
                    killed,
                });
            }
        }
        findings
    }

    fn letter(&self, record: &Record, rule: &Arc<str>, reason: &str) -> DeadLetter {
        let reason = format!("rule {rule} gave no answer: {reason}");
        DeadLetter {
            id: DeadLetterId::new(&record.source, &record.position, Some(record.sub), &reason),
            created: self.now,
            kind: DeadLetterKind::RuleFailure {
                log_type: record.log_type.clone(),
                data_type: record.data_type,
                source: record.source.clone(),
                position: record.position.clone(),
                sub: record.sub,
                rule: rule.clone(),
            },
            reason,
            body: record.json.clone(),
            truncated: false,
        }
    }
}

/// Why a dead letter is due. A suspended rule gets none: its strikes did, and one per record would let a bad
/// rule fill the dead-letter store and stop the sources. It is counted instead.
fn killed_reason(outcome: &RuleOutcome) -> Option<String> {
    match outcome {
        RuleOutcome::TimedOut { limit } => Some(format!("over its time limit of {limit:?}")),
        RuleOutcome::Killed(reason) => Some(reason.to_string()),
        RuleOutcome::Exception(RuleException { .. })
        | RuleOutcome::Suspended
        | RuleOutcome::Fired(_)
        | RuleOutcome::False
        | RuleOutcome::NotRun => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamalert_detect::{Fired, KillReason, RuleInfo, RuleResult};
    use streamalert_types::{DataType, Position, Sequence, Source};
    use streamalert_value::Value;

    use super::*;

    fn record() -> Record {
        Record {
            source: Arc::new(Source {
                service: "kinesis".into(),
                resource: "s".into(),
                cluster: None,
            }),
            position: Position {
                partition: "p".into(),
                sequence: Sequence::Offset(3),
            },
            sub: 0,
            log_type: "a:b".into(),
            data_type: DataType::Json,
            json: r#"{"x":1}"#.into(),
        }
    }

    fn find(outcomes: Vec<RuleOutcome>) -> Findings {
        let rules = (0..outcomes.len())
            .map(|at| RuleInfo::named(&format!("r{at}"), &["a:b"]))
            .collect();
        let rules = RuleSet::new(rules).unwrap();
        let results = (0..)
            .map(RuleIndex)
            .zip(outcomes)
            .map(|(rule, outcome)| RuleResult { rule, outcome })
            .collect();
        FindingsMaker {
            rules: &rules,
            now: Timestamp::EPOCH,
            traced: true,
        }
        .make(vec![RecordOutcome {
            record: record(),
            results,
        }])
    }

    fn fired() -> RuleOutcome {
        RuleOutcome::Fired(Fired {
            outputs: Vec::new(),
            context: Value::Null,
            record: None,
        })
    }

    #[test]
    fn a_rule_that_fires_beside_one_that_is_killed_still_raises_its_alert() {
        let findings = find(vec![
            RuleOutcome::TimedOut {
                limit: Duration::from_millis(100),
            },
            fired(),
            RuleOutcome::Killed(KillReason::Exit(0)),
        ]);
        assert_eq!(findings.alerts.len(), 1);
        assert_eq!(&*findings.alerts[0].rule_name, "r1");
        let reasons: Vec<&str> = findings.letters.iter().map(|letter| &*letter.reason).collect();
        assert_eq!(
            reasons,
            [
                "rule r0 gave no answer: over its time limit of 100ms",
                "rule r2 gave no answer: process exited with code 0",
            ]
        );
        assert_eq!(findings.failures.len(), 2);
        let [raised] = &findings.raised[..] else {
            panic!("{:?}", findings.raised)
        };
        assert_eq!((raised.index, &*raised.fired), (0, &["r1".into()][..]));
        assert_eq!(raised.killed.as_deref(), Some(reasons[0]));
        let context = Traceparent::evaluated(&record()).to_string();
        assert_eq!(*findings.alerts[0].traceparent, *context);
    }

    #[test]
    fn a_suspended_rule_is_counted_without_a_dead_letter() {
        let findings = find(vec![RuleOutcome::Suspended, RuleOutcome::False]);
        assert!(findings.letters.is_empty() && findings.raised.is_empty());
        assert_eq!(findings.failures.len(), 1);
    }

    #[test]
    fn the_same_batch_evaluated_again_gives_the_same_alert_ids() {
        let ids = || {
            find(vec![fired(), fired()])
                .alerts
                .iter()
                .map(|alert| alert.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(), ids());
        assert_ne!(ids()[0], ids()[1]);
    }
}
