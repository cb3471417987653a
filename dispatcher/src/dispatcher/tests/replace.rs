use super::*;

fn registry(outputs: &[(&str, Arc<Scripted>, DeliveryOptions)]) -> OutputRegistry {
    let mut registry = OutputRegistry::default();
    for (output, made, options) in outputs {
        registry.insert(name(output), made.clone(), options.clone());
    }
    registry
}

fn slow() -> Arc<Scripted> {
    Scripted::new(Duration::from_secs(5), |_| Ok(()))
}

fn one_at_a_time() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 1,
        ..options()
    }
}

fn deliver(
    rig: &Rig,
    number: u32,
    output: &'static str,
) -> JoinHandle<Result<DeliveryOutcome, NeighbourError>> {
    let handle = rig.handle.clone();
    tokio::spawn(async move { handle.deliver(delivery(number, output)).await })
}

const DELIVERED: Result<DeliveryOutcome, NeighbourError> = Ok(DeliveryOutcome::delivered(1));

#[tokio::test(start_paused = true)]
async fn an_attempt_under_way_ends_at_the_old_output_and_what_waits_goes_to_the_new_one() {
    let (old, new, other) = (slow(), slow(), slow());
    let rig = start(vec![
        ("webhook:a", old.clone(), one_at_a_time()),
        ("webhook:b", other.clone(), options()),
    ]);
    let (first, second) = (deliver(&rig, 1, "webhook:a"), deliver(&rig, 2, "webhook:a"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outputs = registry(&[
        ("webhook:a", new.clone(), one_at_a_time()),
        ("webhook:b", other.clone(), options()),
        ("webhook:c", other.clone(), options()),
    ]);
    let changes = rig.handle.replace(outputs, &BTreeMap::new()).await;
    assert_eq!(changes.changed, [name("webhook:a")]);
    assert_eq!(changes.added, [name("webhook:c")]);
    assert!(changes.removed.is_empty());
    assert_eq!(
        (first.await.unwrap(), second.await.unwrap()),
        (DELIVERED, DELIVERED)
    );
    let key = |number| vec![delivery(number, "webhook:a").idempotency_key()];
    assert_eq!((old.accepted(), new.accepted()), (key(1), key(2)));
    assert_eq!(deliver(&rig, 3, "webhook:c").await.unwrap(), DELIVERED);
    rig.handle.drain().await;
    rig.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_output_that_is_gone_comes_again_and_becomes_a_dead_letter() {
    let (old, kept) = (slow(), slow());
    let rig = start(vec![
        ("webhook:a", old.clone(), one_at_a_time()),
        ("webhook:b", kept.clone(), options()),
    ]);
    let (first, second) = (deliver(&rig, 1, "webhook:a"), deliver(&rig, 2, "webhook:a"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outputs = registry(&[("webhook:b", kept.clone(), options())]);
    let changes = rig.handle.replace(outputs, &BTreeMap::new()).await;
    assert_eq!(changes.removed, [name("webhook:a")]);
    assert_eq!(first.await.unwrap(), DELIVERED);
    assert!(second.await.unwrap().unwrap_err().is_retryable());
    let again = deliver(&rig, 2, "webhook:a").await.unwrap().unwrap();
    assert!(
        matches!(&again, DeliveryOutcome::DeadLettered { reason, .. } if reason.contains("no output of this name")),
        "{again:?}"
    );
    assert_eq!(rig.handle.stats().outputs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_output_that_was_down_is_tried_at_once_when_it_is_configured_anew() {
    let old = Scripted::new(Duration::ZERO, |_| Err(SendError::retry("http 500")));
    let new = Scripted::new(Duration::ZERO, |_| Ok(()));
    let rig = start(vec![("webhook:a", old, options())]);
    let waiting: Vec<_> = (0..20).map(|number| deliver(&rig, number, "webhook:a")).collect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(rig.handle.stats().outputs[&name("webhook:a")].down);
    let begin = Instant::now();
    let outputs = registry(&[("webhook:a", new.clone(), options())]);
    rig.handle.replace(outputs, &BTreeMap::new()).await;
    for delivered in waiting {
        assert!(matches!(
            delivered.await.unwrap(),
            Ok(DeliveryOutcome::Delivered { .. })
        ));
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(new.accepted().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_new_pace_alone_is_a_change_too() {
    let output = slow();
    let rig = start(vec![("webhook:a", output.clone(), one_at_a_time())]);
    let outputs = || registry(&[("webhook:a", output.clone(), one_at_a_time())]);
    assert!(rig.handle.replace(outputs(), &BTreeMap::new()).await.is_empty());
    let pace = BTreeMap::from([(name("webhook:a"), options())]);
    let changes = rig.handle.replace(outputs(), &pace).await;
    assert_eq!(changes.changed, [name("webhook:a")]);
    let begin = Instant::now();
    let (first, second) = (deliver(&rig, 1, "webhook:a"), deliver(&rig, 2, "webhook:a"));
    assert_eq!(
        (first.await.unwrap(), second.await.unwrap()),
        (DELIVERED, DELIVERED)
    );
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}
