//! What every output over http must do.

use streamalert_testkit::{Reply, WebhookReceiver};
use tokio::time::Instant;

use super::rig::{Far, Trouble};
use super::*;

/// Like [`for_each`], for those over http.
async fn for_each_http<F: Future<Output = ()>>(check: impl Fn(Rig) -> F) {
    let check = &check;
    for_each(|rig| async move {
        if rig.http().is_some() {
            check(rig).await;
        }
    })
    .await;
}

/// Lets `reply` be the answer to request number `at`.
fn at(rig: &Rig, at: usize, reply: Reply, happened: bool) {
    let (_, _, troubles) = rig.http().unwrap();
    troubles.lock().unwrap().insert(at, Trouble { reply, happened });
}

#[tokio::test]
async fn whichever_request_of_an_attempt_fails_it_is_tried_again() {
    for_each_http(|rig| async move {
        let name = rig.service.name;
        rig.deliver(alert(0)).await;
        let (case, receiver, troubles) = rig.http().unwrap();
        let steps = receiver.count();
        let mut number = 1;
        for step in 0..steps {
            for (reply, happened) in [
                (Reply::status(503, "later"), false),
                (case.busy.clone(), false),
                (Reply::Reset, false),
                // it happened, and nobody heard
                (Reply::Reset, true),
                (Reply::ResetMidBody, true),
                (Reply::status(200, "<html>no json</html>"), false),
            ] {
                let trouble = Trouble { reply, happened };
                let before = rig.arrived().len();
                troubles
                    .lock()
                    .unwrap()
                    .insert(receiver.count() + step, trouble.clone());
                let first = receiver.count();
                let outcome = rig.deliver(alert(number)).await;
                assert!(
                    matches!(outcome, DeliveryOutcome::Delivered { .. }),
                    "{name}: {trouble:?}: {outcome:?}"
                );
                troubles.lock().unwrap().clear();
                let requests = receiver.requests();
                let creates = requests
                    .get(first + step)
                    .is_some_and(|request| (case.identity)(request).is_some());
                if case.repeats == Repeats::Known && creates && happened && trouble.reply == Reply::Reset {
                    assert_eq!(
                        rig.arrived().len(),
                        before,
                        "{name}: what had happened was done again"
                    );
                }
                number += 1;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_http_output_waits_as_long_as_it_is_told() {
    for_each_http(|rig| async move {
        if rig.http().unwrap().0.is_sdk {
            return;
        }
        at(&rig, 0, Reply::too_many(1), false);
        assert_eq!(
            rig.deliver(alert(1)).await,
            DeliveryOutcome::delivered(2),
            "{}",
            rig.service.name
        );
        let requests = rig.http().unwrap().1.requests();
        assert!(
            requests[1].at - requests[0].at >= Duration::from_secs(1),
            "{}",
            rig.service.name
        );
    })
    .await;
}

#[tokio::test]
async fn every_http_output_survives_a_server_that_goes_away() {
    for_each_http(|mut rig| async move {
        let name = rig.service.name;
        assert_eq!(rig.deliver(alert(1)).await, SUCCESS, "{name}");
        let delivery = rig.delivery(alert(2));
        let (handle, stats) = (rig.handle.clone(), rig.handle.clone());
        let output = rig.name.clone();
        let Far::Http { receiver, .. } = &mut rig.far else {
            return;
        };
        receiver.down().await;
        let caller =
            tokio::spawn(async move { streamalert_proto::Deliveries::deliver(&handle, delivery).await });
        // however busy the machine is, an attempt has failed before it is back
        while stats.stats().outputs[&output].last_error.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!caller.is_finished(), "{name}");
        receiver.up().await;
        let outcome = caller.await.unwrap();
        assert!(
            matches!(outcome, Ok(DeliveryOutcome::Delivered { attempts: 2.., .. })),
            "{name}: {outcome:?}"
        );
        assert_eq!(rig.arrived().len(), 2, "{name}");
    })
    .await;
}

#[tokio::test]
async fn every_http_output_turns_a_refusal_into_a_dead_letter_with_the_answer() {
    for_each_http(|rig| async move {
        let name = rig.service.name;
        let answer = format!("refused {} \u{7}end", "x".repeat(2000));
        let reply = (rig.http().unwrap().0.refusal)(&answer);
        at(&rig, 0, reply, false);
        let outcome = rig.deliver(alert(1)).await;
        let DeliveryOutcome::DeadLettered { attempts: 1, reason } = outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert!(
            reason.contains("refused xxx") && reason.contains("more characters"),
            "{name}: {reason}"
        );
        assert!(
            reason.chars().count() < 700 && !reason.contains('\u{7}'),
            "{name}: {reason}"
        );
        let letters = rig.dead_letters().await;
        assert_eq!((letters.len(), &letters[0].reason), (1, &reason), "{name}");
        assert!(!letters[0].truncated);
        // the output goes on
        assert_eq!(rig.deliver(alert(2)).await, SUCCESS, "{name}");
    })
    .await;
}

#[tokio::test]
async fn no_http_output_follows_a_redirect() {
    for_each_http(|rig| async move {
        let internal = WebhookReceiver::start(None).await;
        at(&rig, 0, Reply::redirect(&internal.url("/admin")), false);
        let outcome = rig.deliver(alert(1)).await;
        let name = rig.service.name;
        let DeliveryOutcome::DeadLettered { reason, .. } = outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert!(
            rig.http().unwrap().0.is_sdk || reason.contains("redirects are refused"),
            "{name}: {reason}"
        );
        assert_eq!(internal.count(), 0, "{name}");
    })
    .await;
}

#[tokio::test]
async fn every_http_output_hands_the_trace_on() {
    for_each_http(|rig| async move {
        if rig.http().unwrap().0.is_sdk {
            return;
        }
        let settings = std::slice::from_ref(&rig.spec);
        let outputs =
            crate::OutputRegistry::load(settings, &crate::outputs::fixtures::context(rig.dir.path()));
        let output = outputs.unwrap().into_outputs().remove(&rig.name).unwrap().output;
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let alert = rig.delivery(alert(1)).alert.as_ref().clone();
        let mut publication = crate::outputs::fixtures::publication(alert, rig.name.as_str()).await;
        publication.traceparent = traceparent.parse().ok();
        output
            .send(&publication, "k", Instant::now() + Duration::from_secs(5))
            .await
            .unwrap();
        for request in rig.http().unwrap().1.requests() {
            assert_eq!(
                request.header("traceparent"),
                Some(traceparent),
                "{}",
                rig.service.name
            );
            assert!(request.header("user-agent").unwrap().starts_with("streamalert/"));
        }
    })
    .await;
}
