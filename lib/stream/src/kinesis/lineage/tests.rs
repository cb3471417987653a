use proptest::prelude::*;
use streamalert_store::SHARD_END;

use super::*;

const PREFIX: &str = "kinesis/logs/";

fn shard(id: &str, parents: &[&str], open: bool) -> Shard {
    Shard {
        id: id.to_owned(),
        parents: parents.iter().map(|id| (*id).to_owned()).collect(),
        open,
    }
}

/// `a` was split into `b` and `c`; `c` and `d` were merged into `e`.
fn family() -> Vec<Shard> {
    vec![
        shard("e", &["c", "d"], true),
        shard("a", &[], false),
        shard("b", &["a"], true),
        shard("c", &["a"], false),
        shard("d", &[], false),
    ]
}

fn leases(of: &[(&str, Option<&str>)]) -> BTreeMap<String, Lease> {
    let lease = |(id, checkpoint): &(&str, Option<&str>)| {
        let key = format!("{PREFIX}{id}");
        let checkpoint = checkpoint.map(str::to_owned);
        (
            key.clone(),
            Lease {
                checkpoint,
                ..Lease::free(key)
            },
        )
    };
    of.iter().map(lease).collect()
}

/// Ids and checkpoints of what is created, by step.
fn created(plan: &Plan) -> Vec<Vec<(String, Option<String>)>> {
    let id = |lease: &Lease| {
        let id = lease.key.strip_prefix(PREFIX).unwrap();
        (id.to_owned(), lease.checkpoint.clone())
    };
    let step = |leases: &Vec<Lease>| leases.iter().map(id).collect();
    plan.create.iter().map(step).collect()
}

fn at_first_record(steps: &[&[&str]]) -> Vec<Vec<(String, Option<String>)>> {
    let step = |ids: &&[&str]| ids.iter().map(|id| ((*id).to_owned(), None)).collect();
    steps.iter().map(step).collect()
}

#[test]
fn a_stream_that_is_read_from_its_horizon_is_read_generation_by_generation() {
    let plan = plan(PREFIX, &family(), &BTreeMap::new(), Beginning::Horizon);
    assert_eq!(
        created(&plan),
        at_first_record(&[&["a", "d"], &["b", "c"], &["e"]])
    );
    let merged = &plan.create[2][0];
    assert_eq!(merged.parents, ["kinesis/logs/c", "kinesis/logs/d"]);
    assert_eq!(plan.remove, []);
}

#[test]
fn a_stream_that_is_read_from_now_on_is_read_in_its_open_shards() {
    let plan = plan(PREFIX, &family(), &BTreeMap::new(), Beginning::Moment(7));
    let moment = || Some("AT_TIMESTAMP@7".to_owned());
    assert_eq!(
        created(&plan),
        [vec![("b".to_owned(), moment())], vec![("e".to_owned(), moment())]]
    );
}

#[test]
fn a_beginning_that_was_cut_short_is_completed() {
    let known = leases(&[("b", Some("AT_TIMESTAMP@7"))]);
    let plan = plan(PREFIX, &family(), &known, Beginning::Moment(9));
    assert_eq!(
        created(&plan),
        [[("e".to_owned(), Some("AT_TIMESTAMP@9".to_owned()))]]
    );
}

#[test]
fn what_came_of_a_shard_that_is_read_is_read_from_its_first_record() {
    // Begun at a moment with `c` and `d`; `a` was closed before.
    let known = leases(&[
        ("b", Some("12")),
        ("c", Some("AT_TIMESTAMP@7")),
        ("d", Some("34")),
    ]);
    let plan = plan(PREFIX, &family(), &known, Beginning::Moment(9));
    assert_eq!(created(&plan), at_first_record(&[&["e"]]));
}

#[test]
fn shards_whose_parents_vanished_unread_are_read_from_their_first_record() {
    // Away for longer than the retention: what was read is not listed any more, nor what came of it.
    let known = leases(&[("x", Some("12"))]);
    let plan = plan(PREFIX, &family(), &known, Beginning::Moment(9));
    assert_eq!(
        created(&plan),
        at_first_record(&[&["a", "d"], &["b", "c"], &["e"]])
    );
}

#[test]
fn a_lease_is_forgotten_once_its_shard_is_read_and_gone_and_its_children_have_leases() {
    let end = Some(SHARD_END);
    let shards = [shard("b", &["a"], true), shard("c", &["a"], true)];
    let ids = |plan: Plan| -> Vec<_> { plan.remove.into_iter().map(|lease| lease.key).collect() };
    let all = leases(&[("a", end), ("b", None), ("c", None)]);
    assert_eq!(
        ids(plan(PREFIX, &shards, &all, Beginning::Horizon)),
        ["kinesis/logs/a"]
    );
    let unread = leases(&[("a", Some("12")), ("b", None), ("c", None)]);
    assert_eq!(ids(plan(PREFIX, &shards, &unread, Beginning::Horizon)), [""; 0]);
    let childless = leases(&[("a", end), ("b", None)]);
    assert_eq!(
        ids(plan(PREFIX, &shards, &childless, Beginning::Horizon)),
        [""; 0]
    );
    assert_eq!(ids(plan(PREFIX, &[], &all, Beginning::Horizon)), [""; 0]);
    let listed = family();
    assert_eq!(ids(plan(PREFIX, &listed, &all, Beginning::Horizon)), [""; 0]);
}

#[test]
fn shards_that_are_their_own_ancestors_do_not_hold_up_the_others() {
    let shards = [
        shard("a", &["b"], true),
        shard("b", &["a"], true),
        shard("c", &[], true),
    ];
    let plan = plan(PREFIX, &shards, &BTreeMap::new(), Beginning::Horizon);
    assert_eq!(plan.create.iter().map(Vec::len).sum::<usize>(), 3);
}

/// Streams that grew by splits and merges: each step closes one or two open shards.
fn grown() -> impl Strategy<Value = Vec<Shard>> {
    let steps = proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..20);
    (1..4_usize, steps).prop_map(|(roots, steps)| {
        let name = |at: usize| format!("shardId-{at:012}");
        let mut shards: Vec<Shard> = (0..roots).map(|at| shard(&name(at), &[], true)).collect();
        for (split, which) in steps {
            let open: Vec<usize> = (0..shards.len()).filter(|at| shards[*at].open).collect();
            let first = open[which.index(open.len())];
            let mut parents = vec![first];
            if !split && let Some(second) = open.iter().find(|at| **at != first) {
                parents.push(*second);
            }
            let ids: Vec<String> = parents.iter().map(|at| shards[*at].id.clone()).collect();
            for at in &parents {
                shards[*at].open = false;
            }
            let children = 3 - parents.len();
            for _ in 0..children {
                let id = name(shards.len());
                shards.push(Shard {
                    id,
                    parents: ids.clone(),
                    open: true,
                });
            }
        }
        shards
    })
}

proptest! {
    #[test]
    fn every_shard_gets_a_lease_even_when_the_creation_breaks_off_anywhere(
        shards in grown(),
        stops in proptest::collection::vec(0..6_usize, 0..4),
    ) {
        let mut leases: BTreeMap<String, Lease> = BTreeMap::new();
        // Each attempt creates some leases of its steps in order and then dies; the last one is not disturbed.
        for stop in stops.into_iter().chain([usize::MAX]) {
            let plan = plan(PREFIX, &shards, &leases, Beginning::Horizon);
            let mut left = stop;
            for step in plan.create {
                for lease in step {
                    let complete = lease.parents.iter().all(|key| leases.contains_key(key));
                    prop_assert!(complete, "{} comes before its parents", lease.key);
                    if left > 0 {
                        left -= 1;
                        leases.insert(lease.key.clone(), lease);
                    }
                }
                if left == 0 {
                    break;
                }
            }
        }
        prop_assert_eq!(leases.len(), shards.len());
        let again = plan(PREFIX, &shards, &leases, Beginning::Horizon);
        prop_assert_eq!(again, Plan::default());
    }

    #[test]
    fn whatever_is_written_after_the_beginning_is_read(before in grown(), steps in 0..3_usize) {
        // Begun now: then the first open shards are split.
        let first = plan(PREFIX, &before, &BTreeMap::new(), Beginning::Moment(1));
        let mut leases: BTreeMap<String, Lease> =
            first.create.into_iter().flatten().map(|lease| (lease.key.clone(), lease)).collect();
        let mut shards = before.clone();
        for step in 0..steps {
            let Some(at) = shards.iter().position(|shard| shard.open) else { break };
            shards[at].open = false;
            let parent = shards[at].id.clone();
            for half in ["x", "y"] {
                shards.push(shard(&format!("z{step}{half}"), &[&parent], true));
            }
        }
        let second = plan(PREFIX, &shards, &leases, Beginning::Moment(2));
        for lease in second.create.into_iter().flatten() {
            prop_assert_eq!(&lease.checkpoint, &None);
            leases.insert(lease.key.clone(), lease);
        }
        for shard in &shards {
            let since = !before.iter().any(|old| old.id == shard.id && !old.open);
            let key = format!("{PREFIX}{}", shard.id);
            prop_assert_eq!(since, leases.contains_key(&key), "{}", key);
        }
    }
}
