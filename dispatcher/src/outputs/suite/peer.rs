//! What every output must do that speaks another protocol than http, with the server that the test starts.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value as Json, json};
use streamalert_types::DeliveryOutcome;

use super::rig::Rig;
use super::{AT_ONCE, Case, Misfortune, ODD, PLANTED, SUCCESS, wanted};
use crate::outputs::fixtures::{alert, alert_with_record};
use crate::outputs::http::base64;

/// What a server has taken is seen soon.
const ARRIVES_WITHIN: Duration = Duration::from_secs(20);

/// What is not to arrive would have by then.
const QUIET_FOR: Duration = Duration::from_millis(300);

/// Puts `ca.pem`, and `cert.pem` with `key.pem` for `localhost`, into a folder.
pub(crate) fn certificates(folder: &Path) {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("cert.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Runs `check` over all wanted outputs with such a server.
pub(super) async fn for_each_peer<F: Future<Output = ()>>(check: impl Fn(Rig) -> F) {
    use futures::{StreamExt as _, stream};
    let check = &check;
    let runs = wanted().into_iter().filter_map(|service| match (service.case)() {
        Case::Peer(case) => Some(async move {
            if let Some(rig) = Rig::with_peer(service, case).await {
                check(rig).await;
            }
        }),
        _ => None,
    });
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// What the server has taken, after it was checked, as soon as that is `at_least` so much.
pub(super) async fn taken(rig: &Rig, at_least: usize) -> Vec<Json> {
    let (case, peer) = rig.peer();
    let begin = tokio::time::Instant::now();
    loop {
        let taken: Vec<Json> = serde_json::from_str(&peer.ask("GET", "/arrived", "").await).unwrap();
        if taken.len() >= at_least {
            taken.iter().for_each(case.check);
            return taken;
        }
        assert!(
            begin.elapsed() < ARRIVES_WITHIN,
            "{}: {} of {at_least} arrived; {}",
            rig.service.name,
            taken.len(),
            peer.output()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// [`taken`], and no more than that.
async fn exactly(rig: &Rig, count: usize) -> Vec<Json> {
    taken(rig, count).await;
    tokio::time::sleep(QUIET_FOR).await;
    let taken = taken(rig, count).await;
    assert_eq!(taken.len(), count, "{}", rig.service.name);
    taken
}

fn text(taken: &Json) -> &str {
    taken["text"].as_str().unwrap()
}

/// Arranges what is to happen to the coming attempts; says how many of the misfortunes the protocol knows.
async fn plan(rig: &Rig, misfortunes: &[Misfortune]) -> usize {
    let (case, peer) = rig.peer();
    let plan: Vec<Json> = misfortunes.iter().filter_map(case.misfortune).collect();
    peer.ask("POST", "/plan", &json!(plan).to_string()).await;
    plan.len()
}

#[tokio::test]
async fn a_server_takes_what_an_output_sends() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        let taken = exactly(&rig, 1).await;
        let text = text(&taken[0]).to_lowercase().replace('_', " ");
        assert!(text.contains("cloudtrail root login"), "{name}: {text}");
        assert_eq!(rig.stats().delivered, 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_takes_a_huge_alert_whole_or_visibly_cut() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        let record = json!({"blob": "é<&>\"".repeat(200_000)}).to_string();
        assert_eq!(
            rig.deliver(alert_with_record(1, &record)).await,
            SUCCESS,
            "{name}"
        );
        let taken = exactly(&rig, 1).await;
        let whole = text(&taken[0]).len() > record.len();
        assert!(
            whole || text(&taken[0]).contains("the whole alert"),
            "{name}: {}",
            text(&taken[0]).len()
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_takes_unicode_control_characters_and_odd_numbers() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert_with_record(1, ODD)).await, SUCCESS, "{name}");
        let taken = exactly(&rig, 1).await;
        let text = text(&taken[0]);
        assert!(text.contains("ünï") && text.contains('😀'), "{name}: {text}");
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_comes_again_has_the_same_identity() {
    for_each_peer(|mut rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        taken(&rig, 1).await;
        rig.restart();
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        taken(&rig, 2).await;
        assert_eq!(rig.deliver(alert(2)).await, SUCCESS, "{name}");
        let taken = exactly(&rig, 3).await;
        assert_eq!(taken[0]["identity"], taken[1]["identity"], "{name}");
        assert_ne!(taken[0]["identity"], taken[2]["identity"], "{name}");
        assert!(!taken[0]["identity"].as_str().unwrap().is_empty(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_is_tried_again_and_then_delivered_once() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        let known = plan(&rig, &[Misfortune::Busy, Misfortune::Reset, Misfortune::Hang]).await;
        match rig.deliver(alert(1)).await {
            DeliveryOutcome::Delivered { attempts, .. } if attempts as usize > known => {}
            other => panic!("{name}: {other:?}"),
        }
        exactly(&rig, 1).await;
        assert_eq!(rig.dead_letters().await.len(), 0, "{name}");
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_and_not_answered_may_come_twice_and_can_be_told() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        if plan(&rig, &[Misfortune::LostAnswer]).await == 0 {
            return;
        }
        let outcome = rig.deliver(alert(1)).await;
        assert_eq!(outcome, DeliveryOutcome::delivered(2), "{name}");
        let taken = exactly(&rig, 2).await;
        assert_eq!(taken[0]["identity"], taken[1]["identity"], "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_becomes_a_dead_letter_with_the_answer() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        let answer = format!("refused {}", "x".repeat(400));
        if plan(&rig, &[Misfortune::Refused(answer)]).await == 0 {
            return;
        }
        let DeliveryOutcome::DeadLettered { attempts: 1, reason } = rig.deliver(alert(1)).await else {
            panic!("{name}: not refused")
        };
        assert!(
            reason.contains("refused xxx") && reason.chars().count() < 700,
            "{name}: {reason}"
        );
        let letters = rig.dead_letters().await;
        assert_eq!((letters.len(), &letters[0].reason), (1, &reason), "{name}");
        // the output goes on
        assert_eq!(rig.deliver(alert(2)).await, SUCCESS, "{name}");
        exactly(&rig, 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_goes_away_is_waited_for() {
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        taken(&rig, 1).await;
        let (_, peer) = rig.peer();
        peer.ask("POST", "/down", "").await;
        let (delivery, handle) = (rig.delivery(alert(2)), rig.handle.clone());
        let caller =
            tokio::spawn(async move { streamalert_proto::Deliveries::deliver(&handle, delivery).await });
        while rig.stats().last_error.is_none() {
            assert!(!caller.is_finished(), "{name}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        peer.ask("POST", "/up", "").await;
        let outcome = caller.await.unwrap();
        assert!(
            matches!(outcome, Ok(DeliveryOutcome::Delivered { attempts: 2.., .. })),
            "{name}: {outcome:?}"
        );
        exactly(&rig, 2).await;
    })
    .await;
}

/// Where the log goes during a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_server_learns_or_lets_out_a_secret_that_is_not_its_own() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let encoded = base64(PLANTED.as_bytes());
    for_each_peer(|rig| async move {
        let name = rig.service.name;
        let answer = format!("refused {PLANTED} {}", base64(PLANTED.as_bytes()));
        let knows_refusals = plan(&rig, &[Misfortune::Refused(answer)]).await > 0;
        let outcomes = [rig.deliver(alert(1)).await, rig.deliver(alert(2)).await];
        let taken = taken(&rig, if knows_refusals { 1 } else { 2 }).await;
        let letters = rig.dead_letters().await;
        let shown = format!("{outcomes:?} {:?} {letters:?} {:?}", rig.stats(), rig.handle);
        assert!(!shown.contains(PLANTED), "{name}: {shown}");
        assert!(!shown.contains(&base64(PLANTED.as_bytes())), "{name}: {shown}");
        assert!(!knows_refusals || shown.contains("[redacted]"), "{name}: {shown}");
        assert!(
            !json!(taken).to_string().contains(PLANTED),
            "{name}: in what was sent"
        );
    })
    .await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains(PLANTED) && !log.contains(&encoded), "{log}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_others_is_not_talked_to() {
    for_each_peer(|mut rig| async move {
        let name = rig.service.name;
        // another authority than the one that signed for the server
        std::fs::write(rig.dir.path().join("ca.pem"), authority().pem()).unwrap();
        rig.restart();
        let (delivery, handle) = (rig.delivery(alert(1)), rig.handle.clone());
        let caller =
            tokio::spawn(async move { streamalert_proto::Deliveries::deliver(&handle, delivery).await });
        while rig.stats().last_error.is_none() {
            assert!(!caller.is_finished(), "{name}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        caller.abort();
        assert_eq!(taken(&rig, 0).await.len(), 0, "{name}");
    })
    .await;
}
