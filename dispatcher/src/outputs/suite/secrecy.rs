//! No output lets a secret out, nor those that AWS knows it by.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamalert_proto::Deliveries;
use streamalert_testkit::Reply;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::rig::{Far, Rig, Trouble};
use super::{PLANTED, wanted};
use crate::Service;
use crate::outputs::fixtures::alert;

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

/// What a server that shows everything back says: the whole request, and each header.
fn echoes(rig: &Rig) -> Vec<String> {
    let Far::Http { receiver, .. } = &rig.far else {
        return Vec::new();
    };
    let requests = receiver.requests();
    let echo = |request: &streamalert_testkit::ReceivedRequest| {
        let headers = request.headers.iter().filter(|(name, _)| name != "host");
        let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
        format!(
            "cannot {} {} with {}",
            request.method,
            request.path,
            headers.join(" ")
        )
    };
    requests.iter().map(echo).collect()
}

/// What was made of secrets: the tokens of `Authorization`, such as Base64.
fn tokens(rig: &Rig) -> BTreeSet<String> {
    let Far::Http { receiver, .. } = &rig.far else {
        return BTreeSet::new();
    };
    let requests = receiver.requests();
    let values = requests
        .iter()
        .filter_map(|request| request.header("authorization"));
    values
        .filter_map(|value| Some(value.split_whitespace().next_back()?.to_owned()))
        .collect()
}

#[tokio::test]
async fn no_output_lets_a_secret_out() {
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let told = filter_fn(streamalert_service::may_be_logged);
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(told));
    let _guard = tracing::subscriber::set_default(subscriber);
    let has_secrets = |service: &Service| service.fields.iter().any(|field| field.is_secret);
    let mut tried = false;
    for rig in wanted().into_iter().flat_map(Rig::of) {
        let mut rig = rig.await;
        let service = rig.service;
        let is_sdk = rig.http().is_some_and(|(case, ..)| case.is_sdk);
        if !has_secrets(service) && !is_sdk {
            continue;
        }
        tried = true;
        rig.deliver(alert(0)).await;
        let mut outcomes = Vec::new();
        for echo in echoes(&rig) {
            let (case, receiver, troubles) = rig.http().unwrap();
            let replies = [
                Reply::status(500, &echo),
                Reply::Reset,
                (case.refusal)(&echo),
                (case.refusal)(PLANTED),
            ];
            for (offset, reply) in replies.into_iter().enumerate() {
                let at = receiver.count() + offset;
                troubles.lock().unwrap().insert(
                    at,
                    Trouble {
                        reply,
                        happened: false,
                    },
                );
            }
            outcomes.push(rig.deliver(alert(1)).await);
            outcomes.push(rig.deliver(alert(2)).await);
        }
        let delivery = rig.delivery(alert(3));
        let handle = rig.handle.clone();
        if let Far::Http { receiver, .. } = &mut rig.far {
            receiver.down().await;
        }
        let refused = tokio::time::timeout(Duration::from_millis(300), handle.deliver(delivery)).await;
        let (stats, letters) = (rig.handle.stats(), rig.dead_letters().await);
        let shown = format!("{outcomes:?} {refused:?} {stats:?} {letters:?} {:?}", rig.handle);
        // the signature of an SDK is of use for nothing but the same request
        for token in tokens(&rig).into_iter().filter(|_| !is_sdk) {
            assert!(!shown.contains(&token), "{}: {token}: {shown}", service.name);
        }
        assert!(!shown.contains(PLANTED), "{}: {shown}", service.name);
        if rig.http().is_some() {
            assert!(
                shown.contains("[redacted]"),
                "{}: the answer was kept, the secret was not",
                service.name
            );
        }
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // Which of the two is seen hangs on the tests beside this one: `tracing` remembers per place, for all threads,
    // whether anybody listens.
    assert!(
        !tried || log.contains("attempt failed") || log.contains("output refused the alert"),
        "{log}"
    );
    assert!(!log.contains(PLANTED), "{log}");
}
