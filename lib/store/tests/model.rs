//! Random histories: the embedded store answers what the memory store answers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use streamalert_store::conformance::{fence, moment, output, stored};
use streamalert_store::{
    AlertFilter, AlertStore, EmbeddedOptions, EmbeddedStore, MemoryStore, SettledDelivery, ShardId,
};
use streamalert_types::{AlertId, DeliveryOutcome, GroupId};

const OUTPUTS: [&str; 3] = ["a:x", "a:y", "b:"];

#[derive(Debug, Clone)]
enum Op {
    Accept(Vec<(u64, usize, Option<u64>)>),
    Settle(Vec<(u64, usize)>, i64),
    Close(u64, Vec<u64>, u64, i64),
    Expire(i64, usize),
    Reopen,
}

fn op() -> impl Strategy<Value = (u16, u64, Op)> {
    let id = || 0_u64..24;
    let op = prop_oneof![
        4 => vec((id(), 0_usize..4, proptest::option::of(0_u64..3)), 0..5).prop_map(Op::Accept),
        4 => (vec((id(), 0_usize..3), 0..5), 0_i64..50).prop_map(|(settled, until)| Op::Settle(settled, until)),
        2 => (0_u64..3, vec(id(), 0..6), 100_u64..106, 0_i64..50)
            .prop_map(|(group, members, merged, until)| Op::Close(group, members, merged, until)),
        1 => (0_i64..50, 0_usize..4).prop_map(|(now, max)| Op::Expire(now, max)),
        1 => Just(Op::Reopen),
    ];
    (0_u16..2, 1_u64..3, op)
}

/// An alert belongs to one shard, which follows from it: what a store makes of one that comes to another is its own affair.
const fn number(shard: u16, id: u64) -> u64 {
    id * 2 + shard as u64
}

fn id(shard: u16, id: u64) -> AlertId {
    AlertId::from_u128(u128::from(number(shard, id)))
}

async fn apply(store: &impl AlertStore, shard: u16, epoch: u64, op: &Op) -> String {
    let fence = fence(shard, epoch);
    match op {
        Op::Accept(alerts) => {
            let of = |(id, outputs, group): &(u64, usize, Option<u64>)| {
                stored(number(shard, *id), &OUTPUTS[..*outputs], *group)
            };
            debug(store.accept(fence, alerts.iter().map(of).collect()).await)
        }
        Op::Settle(settled, until) => {
            let of = |(alert, at): &(u64, usize)| SettledDelivery {
                alert: id(shard, *alert),
                output: output(OUTPUTS[*at]),
                outcome: DeliveryOutcome::delivered(1),
            };
            debug(
                store
                    .settle(fence, settled.iter().map(of).collect(), moment(*until))
                    .await,
            )
        }
        Op::Close(group, members, merged, until) => {
            let group = GroupId::from_u128(u128::from(*group));
            let members = members.iter().map(|member| id(shard, *member)).collect();
            let merged = stored(number(shard, *merged), &OUTPUTS[..(*merged % 3) as usize], None);
            debug(
                store
                    .close_group(fence, group, members, Some(merged), moment(*until))
                    .await,
            )
        }
        Op::Expire(now, max) => debug(store.expire(fence, moment(*now), *max).await),
        Op::Reopen => String::new(),
    }
}

fn debug(value: impl Debug) -> String {
    format!("{value:?}")
}

/// What can be asked of a store, in brief: what an alert itself holds is compared in the conformance suite.
async fn everything(store: &impl AlertStore) -> Vec<String> {
    let mut all = Vec::new();
    for view in store.list(&AlertFilter::default(), usize::MAX).await.unwrap() {
        let id = view.alert.id.as_u128();
        all.push(format!(
            "{id}: {:?} {:?} {:?} {:?}",
            view.state, view.pending, view.settled, view.group
        ));
    }
    for shard in [0, 1].map(ShardId) {
        all.push(debug(store.backlog(shard).await));
        for stored in store.grouped(shard, None, 100).await.unwrap() {
            all.push(format!(
                "grouped {}: {:?}",
                stored.alert.id.as_u128(),
                stored.group
            ));
        }
        for name in OUTPUTS {
            let page = store
                .pending(shard, &output(name), None, 100, usize::MAX)
                .await
                .unwrap();
            all.extend(
                page.iter()
                    .map(|item| format!("{name} {} {:?}", item.alert.id.as_u128(), item.cursor)),
            );
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_leaves_both_stores_alike(ops in vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let open = || EmbeddedStore::open(EmbeddedOptions::new(dir.path())).unwrap();
            let (memory, mut embedded) = (MemoryStore::new(), Some(open()));
            for (shard, epoch, op) in &ops {
                if matches!(op, Op::Reopen) {
                    drop(embedded.take());
                }
                let embedded = embedded.get_or_insert_with(open);
                let expected = apply(&memory, *shard, *epoch, op).await;
                assert_eq!(apply(embedded, *shard, *epoch, op).await, expected, "{op:?}");
            }
            let embedded = embedded.expect("it is opened before every step");
            assert_eq!(everything(&embedded).await, everything(&memory).await);
        });
    }
}
