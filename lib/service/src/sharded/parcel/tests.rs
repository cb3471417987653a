use streamalert_proto::NotOwned;
use streamalert_store::Lease;

use super::*;

const PATIENCE: Duration = Duration::from_secs(2);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A parcel, what it knows, and what it has open.
struct Rig {
    view: View,
    parcel: Parcel,
    now: Duration,
    open: BTreeMap<u64, (String, Vec<u16>)>,
    refreshes: usize,
    finished: Option<Result<(), NeighbourError>>,
}

impl Rig {
    fn new<const N: usize>(slots: [u16; N]) -> Self {
        let options = ParcelOptions {
            service: "merger",
            moved_patience: PATIENCE,
            backoff: BackoffOptions {
                first: secs(1),
                max: secs(1),
            },
            seed: 7,
        };
        let mut rig = Self {
            view: View::new(8),
            parcel: Parcel::new(slots, options),
            now: Duration::ZERO,
            open: BTreeMap::new(),
            refreshes: 0,
            finished: None,
        };
        rig.apply(Event::Look);
        rig
    }

    fn apply(&mut self, event: Event) {
        assert_eq!(self.finished, None, "nothing comes after the end");
        for effect in self.parcel.apply(self.now, event, &self.view) {
            match effect {
                Effect::Send { part, address, slots } => {
                    let before = self.open.insert(part, (address.to_string(), slots));
                    assert_eq!(before, None, "part {part} is sent twice");
                }
                Effect::Drop { part } => {
                    self.open.remove(&part).expect("a part that is open");
                }
                Effect::Refresh => self.refreshes += 1,
                Effect::Finish(result) => self.finished = Some(result),
            }
        }
        let mut slots: Vec<u16> = self.open.values().flat_map(|(_, slots)| slots.clone()).collect();
        slots.sort_unstable();
        let count = slots.len();
        slots.dedup();
        assert_eq!(count, slots.len(), "a slot is open twice");
    }

    /// The table says that these have these slots, at this epoch.
    fn table<const N: usize>(&mut self, owners: [(u16, &str, u64); N]) {
        let lease = |(slot, address, epoch): &(u16, &str, u64)| Lease {
            owner: Some((*address).to_owned()),
            address: Some((*address).to_owned()),
            epoch: *epoch,
            ..Lease::free(format!("merger/{slot}"))
        };
        let leases: Vec<Lease> = owners.iter().map(lease).collect();
        self.view.listed("merger/", &leases);
        self.apply(Event::Look);
    }

    fn down(&mut self, address: &str) {
        self.view.link(&Arc::from(address), false);
        self.apply(Event::Look);
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
        self.apply(Event::Look);
    }

    fn sent(&self) -> Vec<(&str, &[u16])> {
        let sent = self.open.values();
        sent.map(|(address, slots)| (address.as_str(), slots.as_slice()))
            .collect()
    }

    fn answer(&mut self, address: &str, result: Result<(), NeighbourError>) {
        let found = self.open.iter().find(|(_, (to, _))| to == address);
        let part = *found.expect("a part is open there").0;
        self.open.remove(&part);
        if let Err(NeighbourError::NotOwner { shards, .. }) = &result {
            for owned in shards {
                self.view.refused(owned.shard, address, owned.address.as_deref());
            }
        }
        self.apply(Event::Answered { part, result });
    }
}

fn not_owner<const N: usize>(slots: [(u16, Option<&str>); N]) -> Result<(), NeighbourError> {
    let owned = |(shard, address): (u16, Option<&str>)| NotOwned {
        shard,
        address: address.map(str::to_owned),
    };
    Err(NeighbourError::NotOwner {
        service: "merger",
        shards: slots.into_iter().map(owned).collect(),
    })
}

fn unavailable() -> Result<(), NeighbourError> {
    Err(NeighbourError::Unavailable {
        service: "merger",
        reason: "draining".into(),
    })
}

#[test]
fn each_owner_gets_its_share_and_all_must_answer() {
    let mut rig = Rig::new([0, 1, 2]);
    rig.table([(0, "a:1", 1), (1, "b:1", 1), (2, "a:1", 1)]);
    assert_eq!(rig.sent(), [("a:1", &[0, 2][..]), ("b:1", &[1])]);
    rig.answer("b:1", Ok(()));
    assert_eq!(rig.finished, None);
    rig.answer("a:1", Ok(()));
    assert_eq!((rig.finished, rig.refreshes), (Some(Ok(())), 0));
}

#[test]
fn nothing_to_send_is_done_at_once() {
    assert_eq!(Rig::new([]).finished, Some(Ok(())));
}

#[test]
fn a_slot_without_an_owner_waits_and_holds_up_no_other() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1)]);
    rig.answer("a:1", Ok(()));
    rig.after(secs(3600));
    assert_eq!((rig.sent(), rig.parcel.next_look()), (vec![], None));
    rig.table([(0, "a:1", 1), (1, "b:1", 1)]);
    assert_eq!(rig.sent(), [("b:1", &[1][..])]);
}

#[test]
fn a_stale_map_is_set_right_by_the_answer() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1), (1, "a:1", 1)]);
    rig.answer("a:1", not_owner([(1, Some("b:1"))]));
    // Of slot 0 nothing is known: it goes there again.
    assert_eq!(rig.sent(), [("a:1", &[0][..]), ("b:1", &[1])]);
    assert_eq!(rig.refreshes, 1);
}

#[test]
fn an_owner_that_the_table_insists_on_is_asked_again_after_a_pause() {
    let mut rig = Rig::new([0]);
    rig.table([(0, "a:1", 1)]);
    rig.answer("a:1", not_owner([(0, None)]));
    assert_eq!(rig.sent(), []);
    rig.table([(0, "a:1", 1)]);
    assert_eq!(rig.sent(), []);
    let look = rig.parcel.next_look().unwrap();
    rig.after(look - rig.now);
    assert_eq!(rig.sent(), [("a:1", &[0][..])]);
}

#[test]
fn another_owner_is_asked_without_a_pause() {
    for next in [(0, "b:1", 1), (0, "a:1", 2)] {
        let mut rig = Rig::new([0]);
        rig.table([(0, "a:1", 1)]);
        rig.answer("a:1", unavailable());
        assert_eq!(rig.sent(), []);
        rig.table([next]);
        assert_eq!(rig.sent(), [(next.1, &[0][..])]);
    }
}

#[test]
fn two_nodes_that_name_each_other_are_asked_once_each_in_a_pause() {
    let mut rig = Rig::new([0]);
    rig.table([(0, "a:1", 1)]);
    rig.answer("a:1", not_owner([(0, Some("b:1"))]));
    rig.answer("b:1", not_owner([(0, Some("a:1"))]));
    assert_eq!(rig.sent(), []);
    rig.after(secs(1));
    assert_eq!(rig.sent(), [("a:1", &[0][..])]);
}

#[test]
fn an_owner_that_moves_on_and_on_is_not_followed_without_end() {
    let mut rig = Rig::new([0]);
    let mut asked = 0;
    for epoch in 1..100 {
        rig.table([(0, "a:1", epoch)]);
        if !rig.open.is_empty() {
            asked += 1;
            rig.answer("a:1", unavailable());
        }
    }
    assert_eq!(asked, REFUSALS_MAX);
    rig.after(secs(1));
    assert_eq!(rig.sent().len(), 1);
}

#[test]
fn what_a_dead_owner_had_goes_to_the_next_one_at_once() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1), (1, "a:1", 1)]);
    rig.down("a:1");
    assert_eq!(rig.sent(), [("a:1", &[0, 1][..])], "it may come back");
    rig.table([(0, "b:1", 2), (1, "c:1", 2)]);
    assert_eq!(rig.sent(), [("b:1", &[0][..]), ("c:1", &[1])]);
}

#[test]
fn an_owner_that_can_be_reached_may_answer_what_it_has_begun() {
    let mut rig = Rig::new([0]);
    rig.table([(0, "a:1", 1)]);
    rig.table([(0, "b:1", 2)]);
    assert_eq!(rig.sent(), [("a:1", &[0][..])]);
    assert_eq!(rig.parcel.next_look(), Some(PATIENCE));
    let mut late = Rig::new([0]);
    late.table([(0, "a:1", 1)]);
    late.table([(0, "b:1", 2)]);
    late.after(PATIENCE);
    assert_eq!(late.sent(), [("b:1", &[0][..])]);
    rig.answer("a:1", Ok(()));
    assert_eq!(rig.finished, Some(Ok(())));
}

#[test]
fn the_answer_of_a_part_that_was_given_up_counts_no_more() {
    let mut rig = Rig::new([0]);
    rig.table([(0, "a:1", 1)]);
    let part = *rig.open.first_key_value().unwrap().0;
    rig.down("a:1");
    rig.table([(0, "b:1", 2)]);
    rig.apply(Event::Answered { part, result: Ok(()) });
    assert_eq!(rig.finished, None);
}

#[test]
fn while_all_are_dead_it_waits_and_goes_on_with_whoever_comes_first() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1), (1, "b:1", 1)]);
    rig.down("a:1");
    rig.down("b:1");
    rig.after(secs(600));
    rig.table([]);
    assert_eq!(rig.sent().len(), 2);
    rig.table([(0, "c:1", 5)]);
    assert_eq!(rig.sent(), [("b:1", &[1][..]), ("c:1", &[0])]);
    rig.answer("c:1", Ok(()));
    rig.table([(0, "c:1", 5), (1, "c:1", 6)]);
    rig.answer("c:1", Ok(()));
    assert_eq!(rig.finished, Some(Ok(())));
}

#[test]
fn a_refusal_ends_it() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1), (1, "b:1", 1)]);
    let refused = NeighbourError::Refused {
        service: "merger",
        reason: "too large".into(),
    };
    rig.answer("a:1", Err(refused.clone()));
    assert_eq!(rig.finished, Some(Err(refused)));
}

#[test]
fn a_refusal_of_slots_that_were_not_sent_counts_for_all_that_were() {
    let mut rig = Rig::new([0, 1]);
    rig.table([(0, "a:1", 1), (1, "a:1", 1)]);
    rig.answer("a:1", not_owner([(7, None)]));
    assert_eq!(rig.sent(), []);
    rig.after(secs(1));
    assert_eq!(rig.sent(), [("a:1", &[0, 1][..])]);
}

#[test]
fn a_client_that_stops_says_so() {
    let mut rig = Rig::new([0]);
    rig.view.stopped = true;
    rig.apply(Event::Look);
    let Some(Err(error)) = &rig.finished else { panic!() };
    assert_eq!(error.to_string(), "merger unavailable: client stopped");
}

proptest::proptest! {
    /// Whatever owners answer and the table says: once the table names nodes that accept, everything is accepted.
    #[test]
    fn in_the_end_everything_is_accepted(steps in proptest::collection::vec((0..6_u8, 0..4_u16, 0..3_usize), 0..60)) {
        const NODES: [&str; 3] = ["a:1", "b:1", "c:1"];
        let mut rig = Rig::new([0, 1, 2, 3]);
        let mut epochs = [0; 4];
        let mut owners = [0; 4];
        for (what, slot, node) in steps {
            let first = rig.sent().first().map(|(to, slots)| ((*to).to_owned(), slots.len()));
            match (what, first) {
                (0 | 1, _) => {
                    epochs[usize::from(slot)] += 1;
                    owners[usize::from(slot)] = node;
                    rig.table([0, 1, 2, 3].map(|slot: u16| {
                        (slot, NODES[owners[usize::from(slot)]], epochs[usize::from(slot)])
                    }));
                }
                (2, Some((to, _))) => rig.answer(&to, not_owner([(slot, Some(NODES[node]))])),
                (3, Some((to, _))) => rig.answer(&to, unavailable()),
                (4, _) => rig.down(NODES[node]),
                _ => rig.after(Duration::from_millis(300)),
            }
        }
        rig.table([0, 1, 2, 3].map(|slot: u16| (slot, NODES[owners[usize::from(slot)]], epochs[usize::from(slot)] + 1)));
        for _ in 0..30 {
            if rig.finished.is_some() {
                break;
            }
            rig.after(secs(2));
            if let Some(to) = rig.sent().first().map(|(to, _)| (*to).to_owned()) {
                rig.answer(&to, Ok(()));
            }
        }
        proptest::prop_assert_eq!(rig.finished, Some(Ok(())));
    }
}
