#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod world;

use super::*;
use crate::{LeaseAnswer, SHARD_END};
use world::{Scenario, run};

/// A rule of the coordinator, or of those who work by it, that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Leases of the dead are not taken.
    NeverExpires,
    /// Works on although it could not renew.
    NeverGivesUp,
    /// Takes no more than what is free.
    NeverAsks,
    /// Asks a node that has one more.
    AsksForLittle,
    /// Asks as long as others have anything. Only those who join when all is settled: with more of them nothing
    /// ever settles.
    AsksForAll,
    /// Takes leases whose parents are not done.
    IgnoresParents,
    /// Not the coordinator's: writes under the epoch that the table has instead of the one that it holds.
    WritesUnfenced,
}

const TERM: Duration = Duration::from_secs(30);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn node(name: &str) -> Coordinator {
    Coordinator::new(CoordinatorOptions::new(name))
}

fn owned(key: &str, owner: &str, counter: u64) -> Lease {
    Lease {
        owner: Some(owner.to_owned()),
        epoch: 1,
        counter,
        ..Lease::free(key)
    }
}

/// Ticks until the coordinator reads the table, and answers that.
fn list(coordinator: &mut Coordinator, at: Duration, leases: &[Lease]) -> Vec<Effect> {
    let effects = coordinator.apply(at, Event::Tick);
    let Some(Effect::List { call }) = effects
        .iter()
        .find(|effect| matches!(effect, Effect::List { .. }))
    else {
        panic!("{effects:?}");
    };
    let result = Ok(leases.to_vec());
    coordinator.apply(at, Event::Listed { call: *call, result })
}

fn taken(effects: &[Effect]) -> Vec<&str> {
    let keys = effects.iter().filter_map(|effect| match effect {
        Effect::Take { seen, .. } => Some(&*seen.key),
        _ => None,
    });
    keys.collect()
}

/// Answers every open taking as carried out.
fn give(coordinator: &mut Coordinator, at: Duration, effects: &[Effect]) -> Vec<Effect> {
    let mut all = Vec::new();
    for effect in effects {
        let Effect::Take { call, seen } = effect else {
            continue;
        };
        let lease = Lease {
            epoch: seen.epoch + 1,
            ..owned(&seen.key, &coordinator.options.node, seen.counter + 1)
        };
        let (call, key) = (*call, seen.key.clone());
        let result = Ok(LeaseAnswer::Written(lease));
        all.extend(coordinator.apply(at, Event::Answered { call, key, result }));
    }
    all
}

#[test]
fn a_node_alone_takes_everything_at_its_first_sight() {
    let mut options = CoordinatorOptions::new("a");
    options.alone = true;
    let mut a = Coordinator::new(options);
    let leases = [
        Lease::free("m/1"),
        owned("m/2", "another", 7),
        owned("m/3", "a", 2),
    ];
    let effects = list(&mut a, secs(0), &leases);
    assert_eq!(taken(&effects).len(), 3);
    let news = give(&mut a, secs(0), &effects);
    assert_eq!(
        news.iter().filter(|news| matches!(news, Effect::Own(_))).count(),
        3
    );
    assert_eq!(news.last(), Some(&Effect::Started));
}

#[test]
fn a_restarted_node_takes_its_own_at_once_and_others_after_a_term() {
    let mut a = node("a");
    let leases = [owned("m/1", "a", 4), owned("m/2", "b", 4)];
    assert_eq!(taken(&list(&mut a, secs(0), &leases)), ["m/1"]);
    let mut c = node("c");
    assert!(taken(&list(&mut c, secs(0), &leases)).is_empty());
    assert!(taken(&list(&mut c, secs(29), &leases)).is_empty());
    assert_eq!(taken(&list(&mut c, secs(35), &leases)).len(), 2);
}

#[test]
fn a_lease_whose_counter_moves_is_never_taken_whatever_the_clocks_say() {
    let mut a = node("a");
    for step in 0..20 {
        let lease = owned("m/1", "b", step);
        assert!(taken(&list(&mut a, secs(step * 25), &[lease])).is_empty());
    }
}

#[test]
fn a_lease_is_not_taken_before_its_parents_are_done() {
    let mut a = node("a");
    let child = Lease {
        parents: vec!["k/1".to_owned(), "k/0".to_owned()],
        ..Lease::free("k/2")
    };
    let parent = owned("k/1", "b", 1);
    assert!(taken(&list(&mut a, secs(0), &[parent.clone(), child.clone()])).is_empty());
    let done = Lease {
        checkpoint: Some(SHARD_END.to_owned()),
        owner: None,
        counter: 2,
        ..parent
    };
    assert_eq!(taken(&list(&mut a, secs(10), &[done, child])), ["k/2"]);
}

#[test]
fn a_lease_that_ends_is_given_back_and_never_taken_again() {
    let mut a = node("a");
    let effects = list(&mut a, secs(0), &[Lease::free("k/1")]);
    give(&mut a, secs(0), &effects);
    let (key, checkpoint) = ("k/1".to_owned(), SHARD_END.to_owned());
    let effects = a.apply(
        secs(1),
        Event::Checkpoint {
            key: key.clone(),
            checkpoint: checkpoint.clone(),
        },
    );
    let Some(Effect::Checkpoint { call, held, .. }) = effects.first() else {
        panic!("{effects:?}");
    };
    let ended = Lease {
        checkpoint: Some(checkpoint.clone()),
        counter: held.counter + 1,
        ..held.clone()
    };
    let result = Ok(LeaseAnswer::Written(ended.clone()));
    let effects = a.apply(
        secs(1),
        Event::Answered {
            call: *call,
            key: key.clone(),
            result,
        },
    );
    assert_eq!(effects[0], Effect::Checkpointed { key, checkpoint });
    assert!(
        matches!(&effects[1], Effect::Release { to: None, .. }),
        "{effects:?}"
    );
    let free = Lease {
        owner: None,
        counter: ended.counter + 1,
        ..ended
    };
    assert!(taken(&list(&mut a, secs(100), &[free])).is_empty());
}

#[test]
fn the_same_lease_goes_on_under_its_epoch_when_nobody_took_it_meanwhile() {
    let mut a = node("a");
    let effects = list(&mut a, secs(0), &[Lease::free("m/1")]);
    give(&mut a, secs(0), &effects);
    let effects = a.apply(secs(23), Event::Tick);
    let loss = Loss::Expired;
    assert!(
        effects.contains(&Effect::Lost {
            key: "m/1".to_owned(),
            loss
        }),
        "{effects:?}"
    );
    let Some(Effect::Renew { call, held }) = effects
        .iter()
        .find(|effect| matches!(effect, Effect::Renew { .. }))
    else {
        panic!("{effects:?}");
    };
    let renewed = Lease {
        counter: held.counter + 1,
        ..held.clone()
    };
    let result = Ok(LeaseAnswer::Written(renewed.clone()));
    let effects = a.apply(
        secs(24),
        Event::Answered {
            call: *call,
            key: held.key.clone(),
            result,
        },
    );
    assert!(effects.contains(&Effect::Own(renewed)), "{effects:?}");
}

#[tokio::test]
async fn every_promise_holds_under_any_interleaving() {
    for seed in 0..40 {
        run(&Scenario::new(seed, None))
            .await
            .unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

/// For each broken rule: one of so many seeds shows it, by the promise that hangs on it.
#[tokio::test]
async fn every_broken_rule_is_noticed() {
    let mutants = [
        (Mutant::NeverExpires, "not owned"),
        (Mutant::NeverGivesUp, "worked on past its end"),
        (Mutant::NeverAsks, "out of balance"),
        (Mutant::AsksForLittle, "changed hands without need"),
        (Mutant::AsksForAll, "at a join"),
        (Mutant::IgnoresParents, "before its parent"),
        (Mutant::WritesUnfenced, "two owners"),
    ];
    for (mutant, promise) in mutants {
        let mut seen = Vec::new();
        let mut noticed = false;
        for seed in 0..60 {
            if let Err(broken) = run(&Scenario::new(seed, Some(mutant))).await {
                noticed = broken.contains(promise);
                seen.push(broken);
                if noticed {
                    break;
                }
            }
        }
        assert!(noticed, "{mutant:?} does not break {promise:?} but {seen:?}");
    }
}
