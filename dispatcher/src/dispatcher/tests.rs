mod replace;
mod told;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use streamalert_store::{DeadLetterFilter, FaultyStore, MemoryStore};
use streamalert_types::{DeadLetterKind, ManualClock};
use streamalert_value::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::outputs::fixtures::alert;
use crate::{Backoff, DefaultPublisher, Output, Publication, Receipt, SendError};

type Behaviour = Box<dyn Fn(&Publication) -> Result<(), SendError> + Send + Sync>;

/// An output whose answers come from a closure, after `takes`.
struct Scripted {
    takes: Duration,
    behaviour: Behaviour,
    keys: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    at_once_max: AtomicUsize,
}

impl Scripted {
    fn new(
        takes: Duration,
        behaviour: impl Fn(&Publication) -> Result<(), SendError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            takes,
            behaviour: Box::new(behaviour),
            keys: Mutex::default(),
            at_once: AtomicUsize::new(0),
            at_once_max: AtomicUsize::new(0),
        })
    }

    fn accepted(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

#[async_trait]
impl Output for Scripted {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once_max.fetch_max(at_once, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        (self.behaviour)(publication)?;
        self.keys.lock().unwrap().push(key.to_owned());
        Ok(Receipt::default())
    }
}

fn name(text: &str) -> OutputName {
    text.parse().unwrap()
}

fn delivery(number: u32, output: &str) -> Delivery {
    Delivery {
        alert: Arc::new(alert(number)),
        output: name(output),
        update: None,
    }
}

struct Rig {
    handle: DispatcherHandle,
    task: JoinHandle<()>,
    store: FaultyStore<MemoryStore>,
}

fn start(outputs: Vec<(&str, Arc<dyn Output>, DeliveryOptions)>) -> Rig {
    let mut registry = OutputRegistry::default();
    for (output, made, options) in outputs {
        registry.insert(name(output), made, options);
    }
    let store = FaultyStore::new(MemoryStore::new());
    let dispatcher = Dispatcher {
        options: DispatcherOptions::default(),
        outputs: registry,
        publisher: Arc::new(DefaultPublisher),
        dead_letters: Arc::new(store.clone()),
        clock: Arc::new(ManualClock::at("2026-01-31T08:00:00.000000Z".parse().unwrap())),
        seed: 1,
    };
    let (handle, task) = dispatcher.start();
    Rig { handle, task, store }
}

fn options() -> DeliveryOptions {
    DeliveryOptions::default()
}

#[tokio::test(start_paused = true)]
async fn an_output_down_for_an_hour_gets_everything_once_when_it_is_back() {
    let back = Instant::now() + Duration::from_secs(3600);
    let output = Scripted::new(Duration::from_millis(20), move |_| {
        if Instant::now() < back {
            Err(SendError::retry("connection refused"))
        } else {
            Ok(())
        }
    });
    let rig = start(vec![("webhook:a", output.clone(), options())]);
    let mut callers = JoinSet::new();
    for number in 0..1000 {
        let handle = rig.handle.clone();
        callers.spawn(async move { handle.deliver(delivery(number, "webhook:a")).await });
    }
    while let Some(outcome) = callers.join_next().await {
        assert!(matches!(outcome.unwrap(), Ok(DeliveryOutcome::Delivered { .. })));
    }
    let keys = output.accepted();
    assert_eq!(
        (keys.len(), keys.iter().collect::<BTreeSet<_>>().len()),
        (1000, 1000)
    );
    assert!(keys.contains(&delivery(0, "webhook:a").idempotency_key()));
    let late = Instant::now() - back;
    assert!(
        late < Duration::from_secs(65),
        "everything within a minute after it was back, not {late:?}"
    );
    let stats = &rig.handle.stats().outputs[&name("webhook:a")];
    assert_eq!((stats.delivered, stats.retrying, stats.down), (1000, 0, false));
    assert!(
        stats.attempts < 2000,
        "a dead output is probed, not hammered: {}",
        stats.attempts
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_output_delays_no_other() {
    let hanging = Scripted::new(Duration::from_secs(1 << 30), |_| Ok(()));
    let failing = Scripted::new(Duration::ZERO, |_| Err(SendError::retry("http 500")));
    let live = Scripted::new(Duration::from_millis(10), |_| Ok(()));
    let small = DeliveryOptions {
        queue_items_max: 10,
        ..options()
    };
    let rig = start(vec![
        ("webhook:hanging", hanging, small.clone()),
        ("webhook:failing", failing, small),
        ("webhook:live", live.clone(), options()),
    ]);
    for output in ["webhook:hanging", "webhook:failing"] {
        for number in 0..100 {
            let handle = rig.handle.clone();
            tokio::spawn(async move { handle.deliver(delivery(number, output)).await });
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    for number in 0..100 {
        let begin = Instant::now();
        let outcome = rig.handle.deliver(delivery(number, "webhook:live")).await;
        assert_eq!(outcome, Ok(DeliveryOutcome::delivered(1)));
        assert!(
            begin.elapsed() <= Duration::from_millis(20),
            "{:?}",
            begin.elapsed()
        );
    }
    let stats = rig.handle.stats().outputs;
    assert!(stats[&name("webhook:hanging")].down && stats[&name("webhook:failing")].down);
    assert!(
        stats[&name("webhook:hanging")]
            .last_error
            .as_deref()
            .unwrap()
            .contains("no answer within")
    );
    // the queue is bounded: the other 90 wait at the caller
    let held = &stats[&name("webhook:hanging")];
    assert_eq!(held.waiting + held.retrying + held.in_flight, 10);
}

#[tokio::test(start_paused = true)]
async fn a_full_dead_letter_store_holds_the_outcome_back() {
    let output = Scripted::new(Duration::ZERO, |_| Err(SendError::permanent("http 404: gone")));
    let rig = start(vec![("webhook:a", output, options())]);
    rig.store.faults().set_full(true);
    let handle = rig.handle.clone();
    let caller = tokio::spawn(async move { handle.deliver(delivery(1, "webhook:a")).await });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!caller.is_finished());
    assert_eq!(rig.handle.stats().outputs[&name("webhook:a")].burying, 1);
    assert_eq!(rig.store.inner().count().await.unwrap(), 0);
    rig.store.faults().set_full(false);
    let outcome = caller.await.unwrap().unwrap();
    let reason = "http 404: gone".to_owned();
    assert_eq!(outcome, DeliveryOutcome::DeadLettered { attempts: 1, reason });
    let letters = rig
        .store
        .inner()
        .list(&DeadLetterFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 1);
    assert!(
        matches!(&letters[0].kind, DeadLetterKind::Undelivered { attempts: 1, output, .. } if *output == name("webhook:a"))
    );
    let body = Value::parse_json(&letters[0].body).unwrap();
    assert_eq!(body.get("id").unwrap().as_str().unwrap(), alert(1).id.to_string());
    assert!(body.get("record").unwrap().get("userIdentity").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_confirmation_is_lost_is_stored_once() {
    let output = Scripted::new(Duration::ZERO, |_| Err(SendError::permanent("http 404")));
    let rig = start(vec![("webhook:a", output, options())]);
    rig.store.faults().fail_after(1);
    let outcome = rig.handle.deliver(delivery(1, "webhook:a")).await;
    assert!(matches!(outcome, Ok(DeliveryOutcome::DeadLettered { .. })));
    assert_eq!(rig.store.inner().count().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_output_is_a_dead_letter_that_names_the_reason() {
    let rig = start(vec![]);
    for output in ["slack:nope", "slack:neither"] {
        let outcome = rig.handle.deliver(delivery(1, output)).await;
        let Ok(DeliveryOutcome::DeadLettered { reason, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains("no output of this name"));
    }
    assert_eq!(rig.store.inner().count().await.unwrap(), 2);
    assert_eq!(rig.handle.stats().unconfigured.dead, 2);
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_delivery_share_it_even_when_the_first_stops_listening() {
    let output = Scripted::new(Duration::from_secs(5), |_| Ok(()));
    let rig = start(vec![("webhook:a", output.clone(), options())]);
    let first = rig.handle.deliver(delivery(1, "webhook:a"));
    assert!(tokio::time::timeout(Duration::from_secs(1), first).await.is_err());
    let (second, third) = tokio::join!(
        rig.handle.deliver(delivery(1, "webhook:a")),
        rig.handle.deliver(delivery(1, "webhook:a")),
    );
    assert_eq!(
        (second, third.clone()),
        (third, Ok(DeliveryOutcome::delivered(1)))
    );
    assert_eq!(output.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_asks_again_and_again_does_not_fill_the_queue() {
    let output = Scripted::new(Duration::ZERO, |_| Err(SendError::retry("http 500")));
    let small = DeliveryOptions {
        queue_items_max: 4,
        ..options()
    };
    let rig = start(vec![("webhook:a", output, small)]);
    for _ in 0..100 {
        let asking = rig.handle.deliver(delivery(1, "webhook:a"));
        assert!(
            tokio::time::timeout(Duration::from_secs(1), asking)
                .await
                .is_err()
        );
    }
    let handle = rig.handle.clone();
    tokio::spawn(async move { handle.deliver(delivery(2, "webhook:a")).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stats = &rig.handle.stats().outputs[&name("webhook:a")];
    assert_eq!(
        stats.waiting + stats.retrying + stats.in_flight,
        2,
        "the second alert found room: {stats:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded_per_output() {
    let output = Scripted::new(Duration::from_secs(1), |_| Ok(()));
    let three = DeliveryOptions {
        concurrency: 3,
        ..options()
    };
    let rig = start(vec![("webhook:a", output.clone(), three)]);
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..9 {
        let handle = rig.handle.clone();
        callers.spawn(async move { handle.deliver(delivery(number, "webhook:a")).await.unwrap() });
    }
    callers.join_all().await;
    assert_eq!(output.at_once_max.load(Ordering::SeqCst), 3);
    assert_eq!(begin.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn bytes_bound_the_queue_and_one_larger_alert_passes_alone() {
    let output = Scripted::new(Duration::from_secs(1), |_| Ok(()));
    let tiny = DeliveryOptions {
        queue_bytes_max: 100,
        ..options()
    };
    let rig = start(vec![("webhook:a", output.clone(), tiny)]);
    let mut callers = JoinSet::new();
    for number in 0..3 {
        let handle = rig.handle.clone();
        callers.spawn(async move { handle.deliver(delivery(number, "webhook:a")).await.unwrap() });
    }
    assert_eq!(callers.join_all().await.len(), 3);
    assert_eq!(output.at_once_max.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn draining_finishes_what_is_under_way_and_refuses_the_rest() {
    let output = Scripted::new(Duration::from_secs(3), |_| Ok(()));
    let one = DeliveryOptions {
        concurrency: 1,
        queue_items_max: 2,
        ..options()
    };
    let rig = start(vec![("webhook:a", output, one)]);
    let mut callers = Vec::new();
    for number in 0..3 {
        let handle = rig.handle.clone();
        callers.push(tokio::spawn(async move {
            handle.deliver(delivery(number, "webhook:a")).await
        }));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rig.handle.drain().await;
    rig.task.await.unwrap();
    assert_eq!(
        callers.remove(0).await.unwrap(),
        Ok(DeliveryOutcome::delivered(1))
    );
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    let error = rig.handle.deliver(delivery(9, "webhook:a")).await.unwrap_err();
    assert!(error.is_retryable());
    rig.handle.drain().await;
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_when_all_handles_are_gone() {
    let rig = start(vec![(
        "webhook:a",
        Scripted::new(Duration::ZERO, |_| Ok(())),
        options(),
    )]);
    rig.handle.deliver(delivery(1, "webhook:a")).await.unwrap();
    drop(rig.handle);
    rig.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_output_that_panics_is_tried_again() {
    let calls = AtomicUsize::new(0);
    let output = Scripted::new(Duration::ZERO, move |_| {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "planned panic");
        Ok(())
    });
    let rig = start(vec![("webhook:a", output, options())]);
    let outcome = rig.handle.deliver(delivery(1, "webhook:a")).await;
    assert_eq!(outcome, Ok(DeliveryOutcome::delivered(2)));
}

struct FailingPublisher;

#[async_trait]
impl Publisher for FailingPublisher {
    async fn publish(&self, _: &Arc<Alert>, _: &OutputName) -> Result<Value, String> {
        Err("publishers.mine raised KeyError".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_whose_publisher_fails_is_delivered_and_counted() {
    let output = Scripted::new(Duration::ZERO, |publication| {
        assert!(publication.body.get("streamalert_publisher_error").is_some());
        Ok(())
    });
    let mut registry = OutputRegistry::default();
    let backoff = Backoff {
        first: Duration::from_secs(1),
        max: Duration::from_secs(1),
    };
    registry.insert(
        name("webhook:a"),
        output.clone(),
        DeliveryOptions { backoff, ..options() },
    );
    let dispatcher = Dispatcher {
        options: DispatcherOptions::default(),
        outputs: registry,
        publisher: Arc::new(FailingPublisher),
        dead_letters: Arc::new(MemoryStore::new()),
        clock: Arc::new(ManualClock::default()),
        seed: 1,
    };
    let (handle, _task) = dispatcher.start();
    let mut asks = alert(1);
    asks.publishers = Value::Str("publishers.mine".to_owned());
    let delivery = Delivery {
        alert: Arc::new(asks),
        output: name("webhook:a"),
        update: None,
    };
    assert_eq!(handle.deliver(delivery).await, Ok(DeliveryOutcome::delivered(1)));
    assert_eq!(handle.stats().outputs[&name("webhook:a")].publisher_failures, 1);
}
