//! What Kinesis does wrong, and what becomes of it.

use super::*;

/// Takes and acknowledges what tells of a loss; answers why.
async fn take_loss(source: &mut KinesisSource) -> String {
    let payload = next(source).await;
    payload.token.ack();
    match payload.form {
        PayloadForm::Unreadable { reason } => reason,
        form => panic!("{form:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_the_reading_and_loses_nothing() {
    let world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a"]);
    let code = "ProvisionedThroughputExceededException";
    let throttled = fault("kinesis:GetRecords", FaultKind::Throttled, code);
    world.kinesis.fail(throttled, 5);
    let begun = tokio::time::Instant::now();
    let mut source = world.start("node").await;
    assert_eq!(take(&mut source, 1).await, ["a"]);
    // 0.2, 0.4, 0.8, 1.6 and 3.2 seconds, each shortened by up to half.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(3100) && waited < Duration::from_millis(6500));
    assert_eq!(source.status().throttled, 5);
    // The same iterator served for all of them.
    assert_eq!(world.kinesis.calls("GetShardIterator").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_throttled_together_do_not_return_together() {
    let waited = async |seed| {
        let world = World::new(&["s1"]);
        world.kinesis.put("s1", NOW, &["a"]);
        let code = "ProvisionedThroughputExceededException";
        let throttled = fault("kinesis:GetRecords", FaultKind::Throttled, code);
        world.kinesis.fail(throttled, 5);
        let options = KinesisOptions {
            seed,
            ..World::options("node")
        };
        let begun = tokio::time::Instant::now();
        let mut source = world.try_start(options).await.unwrap();
        take(&mut source, 1).await;
        begun.elapsed().as_millis()
    };
    assert_eq!(waited(1).await, waited(1).await);
    assert_ne!(waited(1).await, waited(2).await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_read_under_the_leases_of_another_of_its_name() {
    let world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a"]);
    let ours = world.start("node").await;
    Box::new(ours).finish().await.unwrap();
    let mut other = World::new(&["s1"]);
    other.leases = world.leases.clone();
    other.kinesis.rename("arn:aws:kinesis:eu-west-1:2:stream/logs");
    other.kinesis.put("s1", NOW, &["b"]);
    let error = other.try_start(World::options("node")).await.err().unwrap();
    let text = error.to_string();
    for part in [
        "kinesis:logs",
        "arn:stream",
        "eu-west-1:2",
        "lease_name",
        "stream/logs",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!error.is_retryable());
    let options = KinesisOptions {
        lease_name: Some("logs-eu".to_owned()),
        ..World::options("node")
    };
    let mut read = other.try_start(options).await.unwrap();
    assert_eq!(take(&mut read, 1).await, ["b"]);
    // The other one goes on as it was.
    let mut ours = world.start("node").await;
    assert_eq!(take(&mut ours, 1).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_iterator_is_replaced_by_one_after_what_was_read() {
    let world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a", "b"]);
    let mut source = world.start("node").await;
    let held = (next(&mut source).await, next(&mut source).await);
    let expired = fault(
        "kinesis:GetRecords",
        FaultKind::Invalid,
        "ExpiredIteratorException",
    );
    world.kinesis.fail(expired, 1);
    world.kinesis.put("s1", NOW, &["c"]);
    assert_eq!(take(&mut source, 1).await, ["c"]);
    let asked = world.kinesis.calls("GetShardIterator");
    assert_eq!(asked, ["s1 TRIM_HORIZON".to_owned(), format!("s1 2@{NOW}")]);
    assert_eq!(source.status().iterators_expired, 1);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn records_that_the_retention_took_are_reported_once_and_reading_goes_on() {
    let mut world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a", "lost", "lost"]);
    let mut source = world.start("node").await;
    assert_eq!(take(&mut source, 1).await, ["a"]);
    Box::new(source).finish().await.unwrap();
    // Two days later all of that is gone.
    world.kinesis.trim("s1", 3);
    world.kinesis.put("s1", NOW + 40 * HOUR, &["b"]);
    world.kinesis.put("s1", NOW + 47 * HOUR, &["c"]);
    world.clock = ManualClock::at(Timestamp::from_micros((NOW + 48 * HOUR) * 1000));
    let mut source = world.start("node").await;
    let told = next(&mut source).await;
    assert_eq!(told.position.to_string(), format!("s1@lost-after:1@{NOW}"));
    let PayloadForm::Unreadable { reason } = &told.form else {
        panic!("{:?}", told.form);
    };
    assert!(reason.contains("40.0 hours"), "{reason}");
    assert_eq!(take(&mut source, 2).await, ["b", "c"]);
    nothing_comes(&mut source, A_WHILE).await;
    let at = format!("1@{NOW}");
    assert_eq!(
        world.checkpoint("s1").await,
        Some(at),
        "not before the loss is written down"
    );
    told.token.ack();
    nothing_comes(&mut source, A_WHILE).await;
    let status = source.status();
    assert_eq!((status.gaps, status.gap_hours), (1, 40.0));
    drop(source);
    let mut source = world.start("node").await;
    nothing_comes(&mut source, A_WHILE).await;
    assert_eq!(source.status().gaps, 0, "told once");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_vanished_unread_is_reported_and_what_came_of_it_is_read() {
    let world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a", "lost"]);
    let mut source = world.start("node").await;
    assert_eq!(take(&mut source, 1).await, ["a"]);
    Box::new(source).finish().await.unwrap();
    world.kinesis.add_shard("s2", &["s1"]);
    world.kinesis.put("s2", NOW, &["b"]);
    world.kinesis.remove_shard("s1");
    let mut source = world.start("node").await;
    assert!(
        take_loss(&mut source)
            .await
            .contains("removed by the stream's retention")
    );
    assert_eq!(take(&mut source, 1).await, ["b"]);
    assert_eq!(source.status().gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_made_anew_is_read_from_its_oldest_record() {
    let world = World::new(&["s1"]);
    let key = "kinesis/logs/s1".to_owned();
    let lease = Lease {
        checkpoint: Some("9999".to_owned()),
        ..Lease::free(key)
    };
    world.leases.create(vec![lease]).await.unwrap();
    world.kinesis.put("s1", NOW, &["a"]);
    let invalid = fault(
        "kinesis:GetShardIterator",
        FaultKind::Invalid,
        "InvalidArgumentException",
    );
    world.kinesis.fail(invalid, 1);
    let mut source = world.start("node").await;
    assert!(
        take_loss(&mut source)
            .await
            .contains("not of this shard any more")
    );
    assert_eq!(take(&mut source, 1).await, ["a"]);
    assert_eq!(source.status().gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn what_makes_reading_impossible_is_told_at_the_start_with_the_action() {
    let world = World::new(&["s1"]);
    let actions = [
        "kinesis:DescribeStreamSummary",
        "kinesis:RegisterStreamConsumer",
        "kinesis:ListShards",
    ];
    for action in actions {
        world
            .kinesis
            .fail(fault(action, FaultKind::Denied, "AccessDeniedException"), 1);
        let options = KinesisOptions {
            consumer: Some("us".to_owned()),
            ..World::options("node")
        };
        let error = world.try_start(options).await.err().unwrap();
        assert!(error.to_string().contains(action), "{error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test(start_paused = true)]
async fn many_nodes_that_start_together_are_patient() {
    let world = World::new(&["s1"]);
    world.kinesis.put("s1", NOW, &["a"]);
    for action in ["kinesis:DescribeStreamSummary", "kinesis:ListShards"] {
        world
            .kinesis
            .fail(fault(action, FaultKind::Throttled, "LimitExceededException"), 3);
    }
    // Another node registers the consumer between our look and our attempt.
    let taken = fault(
        "kinesis:RegisterStreamConsumer",
        FaultKind::Invalid,
        "ResourceInUseException",
    );
    world.kinesis.fail(taken, 1);
    let options = KinesisOptions {
        consumer: Some("us".to_owned()),
        ..World::options("node")
    };
    let mut source = world.try_start(options).await.unwrap();
    assert_eq!(take(&mut source, 1).await, ["a"]);
    // But not for ever.
    let dead = fault("kinesis:DescribeStreamSummary", FaultKind::Unknown, "");
    world.kinesis.fail(dead, 100);
    let error = world.try_start(World::options("other")).await.err().unwrap();
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn later_faults_are_tried_again_for_as_long_as_they_last() {
    let world = World::new(&["s1"]);
    let mut source = world.start("node").await;
    world.kinesis.put("s1", NOW, &["a"]);
    let denied = fault("kinesis:GetRecords", FaultKind::Denied, "AccessDeniedException");
    world.kinesis.fail(denied, 6);
    assert_eq!(take(&mut source, 1).await, ["a"]);
    assert_eq!(source.status().failed, 6);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_for_ten_minutes_stops_the_reading_and_loses_nothing() {
    let world = World::new(&["s1", "s2"]);
    world.kinesis.put("s1", NOW, &["a0"]);
    let mut source = world.start("node").await;
    assert_eq!(take(&mut source, 1).await, ["a0"]);
    nothing_comes(&mut source, A_WHILE).await;
    let faults = world.leases.faults();
    faults.set_down(true);
    let begun = tokio::time::Instant::now();
    let (mut written, mut read) = (Vec::new(), std::collections::BTreeSet::new());
    let mut read_late = 0;
    for second in 0..600 {
        let (shard, body) = (["s1", "s2"][second % 2], format!("b{second}"));
        world.kinesis.put(shard, NOW, &[&body]);
        written.push(body);
        let until = begun + Duration::from_secs(second as u64 + 1);
        while let Ok(payload) = tokio::time::timeout_at(until, source.next()).await {
            let payload = payload.unwrap().unwrap();
            read.insert(String::from_utf8(payload.body.to_vec()).unwrap());
            payload.token.ack();
            read_late += usize::from(second > 60);
        }
    }
    // A term after the last renewal the shards may be another's: nothing more is read, and reading costs nothing.
    assert_eq!((read_late, source.status().shards), (0, 0));
    assert!(source.status().leases.expired >= 2, "{:?}", source.status());
    assert_eq!(
        world.leases.inner().list("kinesis/logs/s1").await.unwrap().len(),
        1
    );
    faults.set_down(false);
    while read.len() < written.len() {
        let payload = next(&mut source).await;
        read.insert(String::from_utf8(payload.body.to_vec()).unwrap());
        payload.token.ack();
    }
    assert!(written.iter().all(|body| read.contains(body)));
    nothing_comes(&mut source, A_WHILE).await;
    for (shard, last) in [("s1", 600), ("s2", 601)] {
        assert_eq!(world.checkpoint(shard).await, Some(format!("{last}@{NOW}")));
    }
}
