use std::sync::Arc;

use bytes::Bytes;
use streamalert_detect::RuleInfo;
use streamalert_types::{DataType, Position, Sequence, Source};

use super::*;

fn record(json: &str) -> Record {
    let source = Source {
        service: "s3".into(),
        resource: "b".into(),
        cluster: None,
    };
    Record {
        source: Arc::new(source),
        position: Position {
            partition: "p".into(),
            sequence: Sequence::Offset(0),
        },
        sub: 0,
        log_type: "a:b".into(),
        data_type: DataType::Json,
        json: Bytes::copy_from_slice(json.as_bytes()),
    }
}

fn rules() -> RuleSet {
    RuleSet::new(vec![
        RuleInfo::named("one", &["a:b"]),
        RuleInfo::named("two", &["a:b"]),
    ])
    .unwrap()
}

fn batch(count: usize, rules: &RuleSet) -> Batch {
    let records = (0..count).map(|_| (record("{}"), Wanted::Candidates)).collect();
    Batch::new(records, rules, &mut GroupWriter::new())
}

fn counts(batch: &Batch) -> (Vec<usize>, usize) {
    let (groups, done) = batch.groups_left();
    (groups.map(|group| group.count).collect(), done)
}

fn words(batch: Batch) -> Vec<Vec<(u32, String)>> {
    let word = |result: &RuleResult| (result.rule.0, result.outcome.trace_word());
    let outcomes = batch.finish();
    outcomes
        .iter()
        .map(|outcome| outcome.results.iter().map(word).collect())
        .collect()
}

#[test]
fn what_is_left_begins_within_a_group() {
    let rules = rules();
    let mut batch = batch(GROUP_RECORDS_MAX * 2 + 3, &rules);
    assert_eq!(counts(&batch), (vec![GROUP_RECORDS_MAX, GROUP_RECORDS_MAX, 3], 0));
    batch.advance(GROUP_RECORDS_MAX + 2, &[], &HashSet::new(), &rules);
    assert_eq!(counts(&batch), (vec![GROUP_RECORDS_MAX, 3], 2));
    batch.advance(GROUP_RECORDS_MAX - 2, &[], &HashSet::new(), &rules);
    assert_eq!(counts(&batch), (vec![3], 0));
    batch.advance(3, &[], &HashSet::new(), &rules);
    assert!(batch.is_done());
}

#[test]
fn records_of_many_bytes_are_groups_of_their_own() {
    let rules = rules();
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(GROUP_BYTES_MAX));
    let records = ["{}", &large, "{}", "{}"].map(|json| (record(json), Wanted::Candidates));
    let batch = Batch::new(records.into(), &rules, &mut GroupWriter::new());
    assert_eq!(counts(&batch), (vec![1, 1, 2], 0));
}

#[test]
fn a_death_while_reading_a_group_accuses_no_record_of_it() {
    let (rules, mut writer) = (rules(), GroupWriter::new());
    let mut batch = batch(5, &rules);
    batch.advance(1, &[], &HashSet::new(), &rules);
    let reason = KillReason::Signal(9);
    batch.blame(0, 2, &reason, &rules, &mut writer);
    assert_eq!(counts(&batch), (vec![1; 4], 0));
    for _ in 0..2 {
        batch.blame(2, 2, &reason, &rules, &mut writer);
    }
    let (groups, _) = batch.groups_left();
    let sent: Vec<bool> = groups.map(|group| !group.data.ends_with(b"N")).collect();
    assert_eq!(sent, [true, true, false, true]);
    batch.advance(4, &[], &HashSet::new(), &rules);
    let killed = vec![(0, "killed".to_owned()), (1, "killed".to_owned())];
    assert_eq!(words(batch), [vec![], vec![], vec![], killed, vec![]]);
}

#[test]
fn rules_that_are_off_or_settled_are_not_asked_for_again() {
    let rules = rules();
    let mut batch = batch(2, &rules);
    batch.give_up(1, RuleIndex(0), RuleOutcome::Killed(KillReason::Exit(1)));
    let plans = batch.plans(&rules, &HashSet::from([RuleIndex(1)]));
    assert_eq!((plans.list(0), plans.list(1)), (&[RuleIndex(0)][..], &[][..]));
    drop(plans);
    batch.advance(2, &[RuleIndex(1)], &HashSet::new(), &rules);
    let suspended = (1, "suspended".to_owned());
    assert_eq!(
        words(batch),
        [vec![suspended.clone()], vec![(0, "killed".to_owned()), suspended]]
    );
}

#[test]
fn one_outcome_per_rule_is_kept_the_first() {
    let rules = rules();
    let wanted = Wanted::Rules([RuleIndex(1), RuleIndex(0)].into());
    let mut batch = Batch::new(vec![(record("{}"), wanted)], &rules, &mut GroupWriter::new());
    batch.give_up(0, RuleIndex(0), RuleOutcome::Killed(KillReason::Exit(1)));
    batch.take_outcome(0, RuleIndex(1), Some(RuleOutcome::False), &rules);
    batch.take_outcome(7, RuleIndex(1), Some(RuleOutcome::False), &rules);
    batch.advance(1, &[RuleIndex(0)], &HashSet::new(), &rules);
    assert_eq!(
        words(batch),
        [[(1, "false".to_owned()), (0, "killed".to_owned())]]
    );
}
