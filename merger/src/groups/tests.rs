use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const fn secs(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

fn member(id: u128, created: i64, window_mins: u32) -> Member {
    let due = secs(created + i64::from(window_mins) * 60);
    Member {
        created: secs(created),
        id: AlertId::from_u128(id),
        window_mins,
        weight_bytes: 10,
        due,
        first: false,
    }
}

fn key(text: &str) -> GroupKey {
    GroupKey::new("r", Arc::from(text.as_bytes()))
}

const LIMITS: Limits = Limits {
    group_alerts_max: usize::MAX,
    group_bytes_max: usize::MAX,
    groups_max: usize::MAX,
    bytes_max: usize::MAX,
};

fn groups() -> Groups {
    Groups::new(Limits {
        group_alerts_max: 50,
        ..LIMITS
    })
}

fn add(groups: &mut Groups, text: &str, member: Member) -> Option<Closing> {
    groups.add(ShardId(0), &Arc::from("r"), &key(text), member)
}

fn ids(closing: &Closing) -> Vec<u128> {
    closing.members.iter().map(|member| member.id.as_u128()).collect()
}

#[test]
fn the_window_of_the_oldest_decides_and_its_very_end_belongs_to_it() {
    let mut groups = groups();
    for (id, created) in [(1, 0), (2, 300), (3, 301)] {
        assert_eq!(add(&mut groups, "a", member(id, created, 5)), None);
    }
    assert_eq!(groups.pop_due(secs(299)), None);
    assert_eq!(ids(&groups.pop_due(secs(300)).unwrap()), [1, 2]);
    assert_eq!(groups.pop_due(secs(600)), None);
    assert_eq!(ids(&groups.pop_due(secs(601)).unwrap()), [3]);
    assert!(groups.is_empty() && groups.bytes() == 0 && groups.members() == 0);
}

#[test]
fn a_full_group_closes_at_once_and_the_next_alert_opens_another() {
    let mut groups = groups();
    for id in 1..50 {
        assert_eq!(add(&mut groups, "a", member(id, 0, 5)), None);
    }
    let full = add(&mut groups, "a", member(50, 0, 5)).unwrap();
    assert_eq!(full.members.len(), 50);
    assert!(groups.is_empty());
    assert_eq!(add(&mut groups, "a", member(51, 0, 5)), None);
    let next = groups.pop_any().unwrap();
    assert_ne!(next.id, full.id);
    assert_eq!(next.noted_as, full.noted_as);
}

#[test]
fn an_older_alert_that_arrives_late_takes_the_lead_with_its_own_window() {
    let mut groups = groups();
    add(&mut groups, "a", member(2, 100, 5));
    add(&mut groups, "a", member(1, 0, 1));
    assert_eq!(groups.next_due(), Some(secs(60)));
    assert_eq!(ids(&groups.pop_due(secs(60)).unwrap()), [1]);
    assert_eq!(ids(&groups.pop_due(secs(400)).unwrap()), [2]);
}

#[test]
fn an_older_alert_that_arrives_late_does_not_put_off_the_end() {
    let mut groups = groups();
    add(&mut groups, "a", member(1, 100, 5));
    add(
        &mut groups,
        "a",
        Member {
            due: secs(500),
            ..member(2, 90, 5)
        },
    );
    assert_eq!(ids(&groups.pop_due(secs(400)).unwrap()), [2, 1]);
}

#[test]
fn the_same_alert_again_changes_nothing() {
    let mut groups = groups();
    add(&mut groups, "a", member(1, 0, 5));
    add(&mut groups, "a", member(2, 0, 5));
    add(&mut groups, "a", member(1, 0, 5));
    assert_eq!(groups.members(), 2);
}

#[test]
fn beyond_the_memory_limit_the_group_nearest_to_its_end_closes() {
    let mut groups = Groups::new(Limits {
        group_alerts_max: 50,
        bytes_max: 1_000,
        ..LIMITS
    });
    for (id, text) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        let at = 10 - i64::try_from(id).unwrap();
        add(&mut groups, text, member(id, at, 5));
    }
    assert_eq!(ids(&groups.pop_over_limit().unwrap()), [4]);
    assert_eq!(groups.pop_over_limit(), None);
}

#[test]
fn forgetting_a_shard_leaves_the_others() {
    let mut groups = groups();
    groups.add(ShardId(1), &Arc::from("r"), &key("a"), member(1, 0, 5));
    groups.add(ShardId(2), &Arc::from("r"), &key("b"), member(2, 0, 5));
    groups.forget(ShardId(1));
    assert_eq!((groups.len(), groups.members()), (1, 1));
    assert_eq!(ids(&groups.pop_any().unwrap()), [2]);
    assert_eq!(groups.bytes(), 0);
}

/// StreamAlert's grouping of one key's alerts at a moment when all are ripe.
fn streamalerts_groups(members: &[Member], max: usize) -> Vec<Vec<AlertId>> {
    let mut sorted = members.to_vec();
    sorted.sort_by_key(|member| (member.created, member.id));
    let mut groups: Vec<Vec<Member>> = Vec::new();
    for member in sorted {
        let fits = |group: &&mut Vec<Member>| {
            group.len() < max && member.created <= window_end(group[0].created, group[0].window_mins)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(member),
            None => groups.push(vec![member]),
        }
    }
    groups
        .iter()
        .map(|group| group.iter().map(|member| member.id).collect())
        .collect()
}

fn arrivals() -> impl Strategy<Value = Vec<(u8, Member)>> {
    let one = (0_u8..4, 0_i64..1_200, 1_u32..6);
    proptest::collection::vec(one, 0..60).prop_map(|list| {
        let alert = |(at, (key, created, window))| (key, member(at as u128 + 1, created, window));
        list.into_iter().enumerate().map(alert).collect()
    })
}

proptest! {
    #[test]
    fn in_any_order_of_arrival_the_groups_are_streamalerts(arrivals in arrivals()) {
        let mut groups = Groups::new(Limits { group_alerts_max: 100, ..LIMITS });
        let mut by_key: BTreeMap<u8, Vec<Member>> = BTreeMap::new();
        for (key, member) in &arrivals {
            prop_assert_eq!(add(&mut groups, &key.to_string(), *member), None);
            by_key.entry(*key).or_default().push(*member);
        }
        let mut closed: BTreeMap<Arc<[u8]>, Vec<Vec<AlertId>>> = BTreeMap::new();
        while let Some(closing) = groups.pop_due(secs(10_000)) {
            let ids = closing.members.iter().map(|member| member.id).collect();
            closed.entry(closing.key).or_default().push(ids);
        }
        for (key, members) in by_key {
            let text: Arc<[u8]> = Arc::from(key.to_string().as_bytes());
            let ours = closed.remove(&text).unwrap_or_default();
            prop_assert_eq!(ours, streamalerts_groups(&members, 100));
        }
        prop_assert!(closed.is_empty() && groups.bytes() == 0);
    }

    #[test]
    fn arriving_in_order_the_groups_are_streamalerts_whatever_fills_up(arrivals in arrivals(), max in 1_usize..6) {
        let mut groups = Groups::new(Limits { group_alerts_max: max, ..LIMITS });
        let mut members: Vec<Member> = arrivals.iter().map(|(_, member)| *member).collect();
        members.sort_by_key(|member| (member.created, member.id));
        let mut ours = Vec::new();
        for member in &members {
            ours.extend(add(&mut groups, "a", *member));
        }
        while let Some(closing) = groups.pop_any() {
            ours.push(closing);
        }
        let ours: Vec<Vec<AlertId>> =
            ours.iter().map(|closing| closing.members.iter().map(|member| member.id).collect()).collect();
        prop_assert_eq!(ours, streamalerts_groups(&members, max));
    }
}
