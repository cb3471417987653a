use std::collections::BTreeSet;

use super::*;
use crate::machine::fixtures::alert;

const SHARD: ShardId = ShardId(3);

fn outbox(deliveries_max: usize) -> Outbox {
    Outbox::new(WindowLimits {
        deliveries_max,
        bytes_max: 1 << 20,
    })
}

fn output(name: &str) -> OutputName {
    name.parse().unwrap()
}

fn page(ids: &[u128]) -> Vec<Pending> {
    ids.iter()
        .map(|id| Pending {
            cursor: OutboxCursor(id.to_be_bytes().to_vec()),
            alert: alert(*id),
        })
        .collect()
}

fn ids(deliveries: &[Delivery]) -> Vec<u128> {
    deliveries
        .iter()
        .map(|delivery| delivery.alert.id.as_u128())
        .collect()
}

fn page_of(
    outbox: &mut Outbox,
    shard: ShardId,
    output: &OutputName,
    items: Vec<Pending>,
    arriving: &IdSet<AlertId>,
) -> Vec<Delivery> {
    outbox.page(shard, output, items, arriving).0
}

fn settle(outbox: &mut Outbox, id: u128, output: &OutputName) {
    outbox.ended(AlertId::from_u128(id), output).unwrap();
    outbox.settled(AlertId::from_u128(id), output);
}

#[test]
fn beyond_the_window_alerts_stay_in_the_store_and_come_in_pages_when_half_of_it_is_free() {
    let (mut outbox, out) = (outbox(4), output("o:1"));
    let sent: Vec<_> = (1..=6)
        .filter_map(|id| outbox.add(SHARD, &alert(id), &out))
        .collect();
    assert_eq!(ids(&sent), [1, 2, 3, 4]);
    assert!(outbox.pages(|_| true).is_empty());
    settle(&mut outbox, 1, &out);
    assert!(outbox.pages(|_| true).is_empty());
    settle(&mut outbox, 2, &out);
    let request = outbox.pages(|_| true).remove(0);
    assert_eq!((request.after, request.items_max), (None, 2));
    assert!(outbox.pages(|_| true).is_empty(), "one page at a time");
    // What is in the window is skipped, and the scan goes on behind it.
    assert!(page_of(&mut outbox, SHARD, &out, page(&[3, 4]), &IdSet::default()).is_empty());
    let request = outbox.pages(|_| true).remove(0);
    assert_eq!(request.after, Some(page(&[4])[0].cursor.clone()));
    assert_eq!(
        ids(&page_of(
            &mut outbox,
            SHARD,
            &out,
            page(&[5, 6]),
            &IdSet::default()
        )),
        [5, 6]
    );
    for id in 3..=6 {
        settle(&mut outbox, id, &out);
    }
    outbox.pages(|_| true);
    page_of(&mut outbox, SHARD, &out, Vec::new(), &IdSet::default());
    assert!(outbox.is_empty());
    assert!(
        outbox.add(SHARD, &alert(7), &out).is_some(),
        "straight into the window again"
    );
}

#[test]
fn an_output_that_hangs_leaves_the_others_their_windows() {
    let mut outbox = outbox(1);
    let (dead, well) = (output("dead:1"), output("well:1"));
    assert!(outbox.add(SHARD, &alert(1), &dead).is_some());
    assert!(outbox.add(SHARD, &alert(2), &dead).is_none());
    for id in 1..100 {
        assert!(outbox.add(SHARD, &alert(id), &well).is_some());
        settle(&mut outbox, id, &well);
    }
}

#[test]
fn the_window_is_bounded_in_bytes_but_takes_one_alert_of_any_size() {
    let weight = alert(1).weight_bytes();
    let mut outbox = Outbox::new(WindowLimits {
        deliveries_max: 100,
        bytes_max: weight * 2,
    });
    let out = output("o:1");
    let taken = (1..=5)
        .filter_map(|id| outbox.add(SHARD, &alert(id), &out))
        .count();
    assert_eq!(taken, 2);
    let mut tiny = Outbox::new(WindowLimits {
        deliveries_max: 100,
        bytes_max: 1,
    });
    assert!(tiny.add(SHARD, &alert(1), &out).is_some());
    assert!(tiny.add(SHARD, &alert(2), &out).is_none());
}

#[test]
fn a_page_that_was_read_before_an_outcome_was_written_does_not_bring_the_alert_back() {
    let (mut outbox, out) = (outbox(2), output("o:1"));
    for id in 1..=3 {
        outbox.add(SHARD, &alert(id), &out);
    }
    settle(&mut outbox, 1, &out);
    outbox.pages(|_| true);
    settle(&mut outbox, 2, &out);
    assert_eq!(
        ids(&page_of(
            &mut outbox,
            SHARD,
            &out,
            page(&[2, 3]),
            &IdSet::default()
        )),
        [3]
    );
}

#[test]
fn an_alert_whose_commit_is_not_confirmed_enters_once_and_is_found_if_it_was_known_before() {
    let (mut outbox, out) = (outbox(1), output("o:1"));
    outbox.load(SHARD, BTreeMap::from([(out.clone(), 1)]));
    outbox.pages(|_| true);
    let arriving = IdSet::from_iter([AlertId::from_u128(1)]);
    assert!(page_of(&mut outbox, SHARD, &out, page(&[1]), &arriving).is_empty());
    assert!(outbox.pages(|_| true).is_empty(), "a pause");
    outbox.resume(&out);
    // It was a duplicate: nothing is added. The scan ends and begins anew, since something was passed over.
    outbox.pages(|_| true);
    page_of(&mut outbox, SHARD, &out, Vec::new(), &IdSet::default());
    assert!(!outbox.is_empty());
    outbox.pages(|_| true);
    assert_eq!(
        ids(&page_of(&mut outbox, SHARD, &out, page(&[1]), &IdSet::default())),
        [1]
    );
}

#[test]
fn a_wrong_count_costs_a_scan_and_no_alert() {
    let (mut outbox, out) = (outbox(10), output("o:1"));
    outbox.load(SHARD, BTreeMap::from([(out.clone(), 0)]));
    outbox.pages(|_| true);
    assert_eq!(
        ids(&page_of(
            &mut outbox,
            SHARD,
            &out,
            page(&[1, 2, 3]),
            &IdSet::default()
        )),
        [1, 2, 3]
    );
}

#[test]
fn shards_take_turns() {
    let (mut outbox, out) = (outbox(10), output("o:1"));
    for shard in [1, 2, 3] {
        outbox.load(ShardId(shard), BTreeMap::from([(out.clone(), 5)]));
    }
    let mut read = BTreeSet::new();
    for id in 0..3 {
        let request = outbox.pages(|_| true).remove(0);
        read.insert(request.shard);
        page_of(&mut outbox, request.shard, &out, page(&[id]), &IdSet::default());
    }
    assert_eq!(read.len(), 3);
    let request = outbox.pages(|shard| shard == ShardId(2)).remove(0);
    assert_eq!(request.shard, ShardId(2), "only what is ours is read");
}
