//! What every output must do, run over all of them. `OUTPUT=slack cargo test -p streamalert-dispatcher suite` runs it
//! over one.

mod case;
mod docs;
mod golden;
mod http;
pub(crate) mod layouts;
pub(crate) mod peer;
mod rig;
mod secrecy;
mod table;
mod throughput;
pub(crate) mod wire;

use std::time::Duration;

pub(crate) use case::{
    Case, HttpCase, LinesCase, MUST, Misfortune, OwnCase, PLANTED, PeerCase, Proof, Repeats, Server, json_of,
    within,
};
use futures::{StreamExt as _, stream};
pub(crate) use golden::recorded;
use rig::Rig;
use serde_json::json;
use streamalert_types::DeliveryOutcome;

use super::fixtures::{alert, alert_with_record};
use super::services;
use crate::Service;

/// A record of all that is hard to write down.
pub(crate) const ODD: &str = r#"{"text":"\u0000\u0007\u001b[31m\u2028\ud83d\ude00\ud800 ünï","nan":NaN,"inf":-Infinity,
        "big":123456789012345678901234567890,"":{"":[]},"@slack.text":"not magic here"}"#;

const SUCCESS: DeliveryOutcome = DeliveryOutcome::delivered(1);

/// The services to look at: all, or the one that `OUTPUT` names.
fn wanted() -> Vec<&'static Service> {
    let only = std::env::var("OUTPUT").ok();
    let wanted = |service: &&&'static Service| only.as_deref().is_none_or(|name| service.name == name);
    let wanted: Vec<_> = services().iter().filter(wanted).copied().collect();
    assert!(!wanted.is_empty(), "no service is called {only:?}");
    wanted
}

/// Outputs that are tried at once: most of it is waiting, but so many at work would make each other wait.
const AT_ONCE: usize = 8;

/// Runs `check` over all wanted outputs, some at once.
async fn for_each<F: Future<Output = ()>>(check: impl Fn(Rig) -> F) {
    let check = &check;
    let rigs = wanted().into_iter().flat_map(Rig::of);
    let runs = rigs.map(|rig| async move { check(rig.await).await });
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[tokio::test]
async fn every_output_delivers() {
    for_each(|rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        let arrived = rig.arrived();
        assert_eq!(arrived.len(), 1, "{name}");
        let text = arrived[0].text.to_lowercase().replace('_', " ");
        assert!(text.contains("cloudtrail root login"), "{name}: {text}");
        assert_eq!(rig.stats().delivered, 1);
    })
    .await;
}

#[tokio::test]
async fn every_output_takes_a_huge_alert_whole_or_visibly_cut() {
    let record = json!({"blob": "é<&>\"".repeat(200_000)}).to_string();
    // one after the other: each is busy, none waits
    for rig in wanted().into_iter().flat_map(Rig::of) {
        let rig = rig.await;
        let name = rig.service.name;
        let outcome = rig.deliver(alert_with_record(1, &record)).await;
        assert!(
            matches!(outcome, DeliveryOutcome::Delivered { .. }),
            "{name}: {outcome:?}"
        );
        let text = &rig.arrived()[0].text;
        let whole = text.len() > record.len();
        assert!(
            whole || text.contains("the whole alert") || !rig.shows_record(),
            "{name}: {}",
            text.len()
        );
    }
}

#[tokio::test]
async fn every_output_takes_unicode_control_characters_and_odd_numbers() {
    for_each(|rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert_with_record(1, ODD)).await, SUCCESS, "{name}");
        let text = &rig.arrived()[0].text;
        let is_shown = text.contains("ünï") && text.contains('😀');
        assert!(is_shown || !rig.shows_record(), "{name}: {text}");
    })
    .await;
}

#[tokio::test]
async fn every_output_gives_a_delivery_that_comes_again_the_same_identity() {
    for_each(|mut rig| async move {
        let name = rig.service.name;
        for _ in 0..2 {
            // the second time within one process it is known to be there already, in files also after a restart
            assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
            assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
            rig.restart();
        }
        assert_eq!(rig.deliver(alert(2)).await, SUCCESS, "{name}");
        let identities: Vec<String> = rig
            .arrived()
            .into_iter()
            .map(|arrived| arrived.identity)
            .collect();
        let repeated = if rig.repeats() == Repeats::Known { 1 } else { 2 };
        assert_eq!(identities.len(), repeated + 1, "{name}: {identities:?}");
        assert!(
            identities[..repeated]
                .iter()
                .all(|identity| *identity == identities[0]),
            "{name}: {identities:?}"
        );
        assert_ne!(identities[0], identities[repeated], "{name}");
    })
    .await;
}

#[tokio::test]
async fn every_output_tries_again_and_then_delivers_once() {
    for_each(|rig| async move {
        let name = rig.service.name;
        let attempts = rig.trouble();
        match rig.deliver(alert(1)).await {
            DeliveryOutcome::Delivered { attempts: made, .. } if made >= attempts => {}
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(rig.arrived().len(), 1, "{name}");
        assert_eq!(rig.dead_letters().await.len(), 0, "{name}");
    })
    .await;
}
