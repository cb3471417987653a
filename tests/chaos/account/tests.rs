use super::*;
use crate::mutants::{Mutant, missed};

const SECOND: Duration = Duration::from_secs(1);

/// The books of a good run: one kill, one throttling, one split.
fn good() -> Account {
    let mut account = Account {
        seed: 1,
        duration: Duration::from_secs(180),
        events: 3000,
        tally: Tally::default(),
        all_due: true,
        spells: vec![spell(50, 50)],
        throttled: vec![spell(80, 85)],
        slow: Vec::new(),
        arrived: Arrived::default(),
        zero: Timestamp::from_micros(1_700_000_000_000_000),
        flushed: SECOND * 200,
        readings: vec![
            reading("parent", true, "7", "SHARD_END"),
            reading("half", false, "20", "20#0@1700000000000"),
            reading("other", false, "9", "10@1700000000000"),
        ],
        mergers: [(2, 2), (4, 4)],
        disorder: BTreeSet::new(),
    };
    for deed in Deed::ALL {
        account.tally.made(deed);
        for index in 0..deed.effects().len() {
            account.tally.set_effect(deed, index, 1);
        }
    }
    for n in expected(account.events, Kind::Single) {
        let alert = Alert::Single { n, rule: n % 3 };
        account.arrived.add(&format!("single {n}"), alert, SECOND * 30);
    }
    for kind in [Kind::Grouped, Kind::Windowed] {
        for key in 0..GROUPS {
            add_groups(&mut account, kind, key);
        }
    }
    account
}

fn spell(from: u32, to: u32) -> Spell {
    Spell {
        from: SECOND * from,
        to: SECOND * to,
    }
}

fn reading(shard: &str, closed: bool, last: &str, checkpoint: &str) -> Reading {
    Reading {
        shard: shard.to_owned(),
        closed,
        last: Some(last.to_owned()),
        checkpoint: Some(checkpoint.to_owned()),
        finished: checkpoint == "SHARD_END",
    }
}

/// Those of one key: full ones at once, the last at the end of its window or of the run.
fn add_groups(account: &mut Account, kind: Kind, key: usize) {
    let events = expected(account.events, kind);
    let of_key: Vec<usize> = events.into_iter().filter(|n| n % GROUPS == key).collect();
    for (place, members) in of_key.chunks(GROUP_MAX).enumerate() {
        let full = members.len() == GROUP_MAX;
        let at = match kind {
            _ if full => SECOND * 40,
            Kind::Windowed => SECOND * 71,
            _ => SECOND * 201,
        };
        let group = Group {
            kind,
            key: format!("g{key}"),
            count: members.len(),
            members: members.to_vec(),
            first: account.zero.plus(SECOND * 10),
            last: account.zero.plus(SECOND * 35),
        };
        let name = format!("{kind:?} {key} {place}");
        account.arrived.add(&name, Alert::Merged(group), at);
    }
}

fn findings(change: impl FnOnce(&mut Account)) -> Vec<String> {
    let mut account = good();
    change(&mut account);
    account.findings()
}

/// The one thing that is wrong.
fn finding(change: impl FnOnce(&mut Account)) -> String {
    let findings = findings(change);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

/// The first merged alert like that.
fn group(account: &mut Account, wanted: impl Fn(&Group) -> bool) -> &mut Group {
    let deliveries = account.arrived.deliveries.values_mut();
    let mut groups = deliveries.filter_map(|delivery| match &mut delivery.alert {
        Alert::Merged(group) => Some(group),
        Alert::Single { .. } => None,
    });
    groups.find(|group| wanted(group)).unwrap()
}

fn again(account: &mut Account, key: &str, first: Duration, second: Duration) {
    account.arrived.deliveries.get_mut(key).unwrap().at = vec![first, second];
}

#[test]
fn a_good_run_has_nothing_to_find_and_every_mistake_in_its_books_is_found() {
    let account = good();
    assert_eq!(account.findings(), Vec::<String>::new());
    assert_eq!(missed(&account), Vec::<&str>::new());
    let text = account.to_string();
    assert!(
        text.contains("groups: 28: 14 full, 7 at the end of their window, 7 at the end of the run"),
        "{text}"
    );
}

#[test]
fn an_alert_that_did_not_come_is_lost() {
    let lost = finding(|account| drop(account.arrived.deliveries.remove("single 8")));
    assert_eq!(lost, "lost: Single [8]");
    let lost = finding(|account| Mutant::LosesMember.apply(account));
    assert!(lost.starts_with("lost: Grouped ["), "{lost}");
}

#[test]
fn what_came_twice_is_excused_only_by_a_fault_while_it_was_in_flight() {
    let twice =
        |first, second| findings(|account| again(account, "single 8", SECOND * first, SECOND * second));
    assert_eq!(twice(49, 60), Vec::<String>::new(), "killed a second after it");
    assert_eq!(twice(40, 60).len(), 1, "noted long before the kill");
    assert_eq!(twice(55, 60).len(), 1, "delivered after the kill");
    assert_eq!(twice(47, 48).len(), 1, "both before the kill");
    let late = findings(|account| {
        account.spells.push(spell(88, 88));
        again(account, "single 8", SECOND * 82, SECOND * 90);
    });
    assert_eq!(
        late,
        Vec::<String>::new(),
        "noted late, because AWS was throttled"
    );
    let throttled = findings(|account| again(account, "single 8", SECOND * 82, SECOND * 90));
    assert_eq!(throttled.len(), 1, "throttling alone repeats nothing");
}

#[test]
fn an_alert_under_two_keys_is_told_whatever_was_done() {
    let found = finding(|account| {
        let alert = Alert::Single { n: 8, rule: 2 };
        account.arrived.add("another", alert, SECOND * 50);
    });
    assert_eq!(found, "event 8 in 2 alerts");
}

#[test]
fn a_group_holds_one_key_and_each_alert_is_in_one_group() {
    let mixed = finding(|account| Mutant::MixesKeys.apply(account));
    assert!(
        mixed.starts_with("a group of g1 with members of {0, 1}"),
        "{mixed}"
    );
    let torn = finding(|account| Mutant::KeepsMember.apply(account));
    assert!(torn.contains("in 2 alerts"), "{torn}");
    let strange = findings(|account| group(account, |_| true).members[0] = 2);
    assert!(
        strange
            .iter()
            .any(|found| found == "event 2 in an alert of kind Grouped"),
        "{strange:?}"
    );
}

#[test]
fn a_group_is_sent_when_it_is_full_or_due_and_holds_no_more_than_its_window() {
    let wide = finding(|account| Mutant::IgnoresWindow.apply(account));
    assert!(wide.starts_with("a group beyond its window"), "{wide}");
    let small = |group: &Group| group.members.len() < GROUP_MAX && group.kind == Kind::Windowed;
    let early = finding(|account| {
        let first = account.zero.plus(SECOND * 30);
        group(account, small).first = first;
    });
    assert!(
        early.starts_with("a group that was neither full nor due"),
        "{early}"
    );
    let late = finding(|account| {
        let (first, last) = (account.zero, account.zero.plus(SECOND * 60));
        let group = group(account, |group| {
            group.kind == Kind::Windowed && group.count < GROUP_MAX
        });
        (group.first, group.last) = (first, last);
        account.arrived.deliveries.values_mut().for_each(|delivery| {
            if matches!(&delivery.alert, Alert::Merged(group) if group.first == first) {
                delivery.at = vec![SECOND * 181];
            }
        });
    });
    assert!(late.starts_with("a group 121.0 s after its window"), "{late}");
    let told = finding(|account| group(account, small).count += 1);
    assert!(told.starts_with("a group of "), "{told}");
}

#[test]
fn a_position_that_is_not_acknowledged_is_told() {
    let behind = finding(|account| account.readings[1].checkpoint = Some("19#0".to_owned()));
    assert!(behind.starts_with("not acknowledged: "), "{behind}");
    let nothing = finding(|account| account.readings[2].checkpoint = None);
    assert!(nothing.contains("\"other\""), "{nothing}");
    let unknown = finding(|account| account.readings.clear());
    assert_eq!(unknown, "nothing is known of any shard");
    // A shard that takes no more is not read before its end is noted.
    let end = finding(|account| {
        account.readings[0].finished = false;
        account.readings[0].checkpoint = Some("7#0".to_owned());
    });
    assert!(end.contains("\"parent\""), "{end}");
}

#[test]
fn a_shard_begun_before_its_parents_is_told() {
    let found = finding(|account| account.disorder.extend(["kinesis/stream/half".to_owned()]));
    assert_eq!(found, "begun before its parents: kinesis/stream/half");
}

#[test]
fn mergers_that_do_not_run_own_nothing_in_the_end_and_those_that_join_own_something() {
    let dead = finding(|account| account.mergers[0].0 = 3);
    assert_eq!(dead, "3 mergers own shards, 2 run");
    let idle = finding(|account| account.mergers[1].0 = 3);
    assert_eq!(idle, "3 mergers owned shards at once, 4 ran");
}

#[test]
fn a_fault_that_was_never_made_or_had_no_effect_is_told() {
    let without = finding(|account| account.tally.set_effect(Deed::Throttled, 2, 0));
    assert_eq!(
        without,
        "made 1 times without effect: AWS throttled for 5 s (answers lost)"
    );
    let short = findings(|account| {
        account.all_due = false;
        account.tally = Tally::default();
    });
    assert_eq!(short, Vec::<String>::new());
    let never = findings(|account| account.tally = Tally::default());
    assert_eq!(never.len(), Deed::ALL.len());
}
