//! Clients and servers of acked streams over loopback sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use streamalert_proto::{NeighbourError, Records};
use streamalert_service::{
    BackoffOptions, ClientOptions, GrpcServer, LinkState, RulesNodeClient, ServerOptions, Shutdown,
    StreamLimits,
};
use support::{Fake, Node, batch, connect, eventually, free_address, options};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_batches_do_not_hold_up_the_ones_behind_them() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    let client = connect(options(&node.address)).client;
    fake.hold("slow");
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.evaluate(batch("slow", 1)).await }
    });
    eventually(|| fake.running.load(Ordering::SeqCst) == 1).await;
    for _ in 0..100 {
        client.evaluate(batch("quick", 3)).await.unwrap();
    }
    assert!(!slow.is_finished());
    fake.release();
    slow.await.unwrap().unwrap();
    assert_eq!(fake.seen(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_arrive_as_they_were_sent() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    let client = connect(options(&node.address)).client;
    let sent = batch("a", 257);
    let evaluated = client.evaluate(sent.clone()).await.unwrap();
    assert_eq!(evaluated.kept, (0..257).step_by(2).collect::<Vec<_>>());
    assert_eq!(*fake.last.lock().unwrap(), Some(sent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_batch_is_acked_although_the_server_is_killed_again_and_again() {
    let address = free_address();
    let fake = Arc::new(Fake {
        delay: Some(Duration::from_millis(2)),
        ..Fake::default()
    });
    let client = connect(options(&address)).client;
    let submits: Vec<_> = (0..8)
        .map(|worker| {
            let client = client.clone();
            tokio::spawn(async move {
                for number in 0..60 {
                    client
                        .evaluate(batch(&format!("{worker}/{number}"), 2))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let mut kills = 0;
    while !submits.iter().all(tokio::task::JoinHandle::is_finished) {
        let node = Node::kill_able(&address, ServerOptions::default(), Arc::clone(&fake));
        let before = fake.seen();
        eventually(|| fake.seen() >= before + 40 || submits.iter().all(tokio::task::JoinHandle::is_finished))
            .await;
        node.kill();
        kills += 1;
    }
    for submit in submits {
        submit.await.unwrap();
    }
    assert!(kills >= 3, "killed {kills} times only");
    let distinct = fake.distinct();
    assert_eq!(distinct, 480);
    assert!(fake.seen() >= 480);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_waits_for_a_server_that_is_not_there_yet() {
    let address = free_address();
    let fake = Arc::new(Fake::default());
    let connected = connect(options(&address));
    let submit = tokio::spawn({
        let client = connected.client.clone();
        async move { client.evaluate(batch("a", 1)).await }
    });
    let mut state = connected.client.link_state();
    state
        .wait_for(|state| matches!(state, LinkState::Down { .. }))
        .await
        .unwrap();
    assert!(!submit.is_finished());
    let _node = Node::start_at(&address, ServerOptions::default(), Arc::clone(&fake)).await;
    submit.await.unwrap().unwrap();
    assert_eq!(*state.borrow_and_update(), LinkState::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_unavailability_and_panics_reach_the_caller_as_what_they_are() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    let client = connect(options(&node.address)).client;
    let refused = client.evaluate(batch("refuse", 1)).await.unwrap_err();
    assert_eq!(
        refused,
        NeighbourError::Refused {
            service: "rules-node",
            reason: "not for us".into()
        }
    );
    let unavailable = client.evaluate(batch("unavailable", 1)).await.unwrap_err();
    assert_eq!(
        unavailable,
        NeighbourError::Unavailable {
            service: "rules-node",
            reason: "later".into()
        }
    );
    let panicked = client.evaluate(batch("panic", 1)).await.unwrap_err();
    assert!(panicked.is_retryable());
    assert!(
        panicked.to_string().contains("internal error: a defect"),
        "{panicked}"
    );
    client.evaluate(batch("fine", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_credit_blocks_and_resumes() {
    let fake = Arc::new(Fake::default());
    let limits = StreamLimits {
        window_batches: 4,
        ..StreamLimits::default()
    };
    let node = Node::start(
        ServerOptions {
            limits,
            ..ServerOptions::default()
        },
        Arc::clone(&fake),
    )
    .await;
    let client = connect(options(&node.address)).client;
    fake.hold("held");
    let submits: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.evaluate(batch("held", 1)).await })
        })
        .collect();
    eventually(|| fake.running.load(Ordering::SeqCst) == 4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.running.load(Ordering::SeqCst), 4);
    fake.release();
    for submit in submits {
        submit.await.unwrap().unwrap();
    }
    assert_eq!(fake.most_running.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_in_flight_stay_within_the_window_and_one_larger_batch_passes() {
    let fake = Arc::new(Fake {
        delay: Some(Duration::from_millis(1)),
        ..Fake::default()
    });
    let limits = StreamLimits {
        window_bytes: 4000,
        ..StreamLimits::default()
    };
    let node = Node::start(
        ServerOptions {
            limits,
            ..ServerOptions::default()
        },
        Arc::clone(&fake),
    )
    .await;
    let client = connect(options(&node.address)).client;
    let submits: Vec<_> = (0..40)
        .map(|number| {
            let client = client.clone();
            // A record weighs about 150 bytes: most fit, every tenth batch is larger than the window.
            let records = if number % 10 == 0 { 60 } else { 5 };
            tokio::spawn(async move { client.evaluate(batch("a", records)).await })
        })
        .collect();
    for submit in submits {
        submit.await.unwrap().unwrap();
    }
    assert_eq!(fake.seen(), 40);
    assert!(
        fake.most_running.load(Ordering::SeqCst) <= 5,
        "{:?}",
        fake.most_running
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pending_queue_makes_callers_wait_and_a_caller_that_gives_up_frees_its_place() {
    let address = free_address();
    let client = connect(ClientOptions {
        pending_batches_max: 2,
        ..options(&address)
    })
    .client;
    for _ in 0..20 {
        // Nobody listens: each of these is queued and given up. Were its place not freed, nothing could be
        // submitted below.
        let submit = client.evaluate(batch("given up", 1));
        assert!(
            tokio::time::timeout(Duration::from_millis(5), submit)
                .await
                .is_err()
        );
    }
    let fake = Arc::new(Fake::default());
    let _node = Node::start_at(&address, ServerOptions::default(), Arc::clone(&fake)).await;
    client.evaluate(batch("kept", 1)).await.unwrap();
    assert_eq!(fake.distinct(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_64_mib_passes_and_a_larger_one_is_refused_by_either_limit() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    let client = connect(options(&node.address)).client;
    client
        .evaluate(support::batch_of_bytes((64 << 20) - 200))
        .await
        .unwrap();
    let refused = client
        .evaluate(support::batch_of_bytes(64 << 20))
        .await
        .unwrap_err();
    assert!(!refused.is_retryable());
    assert!(
        refused
            .to_string()
            .contains("is over the limit of 67108864 bytes"),
        "{refused}"
    );

    let limits = StreamLimits {
        message_bytes_max: 1000,
        ..StreamLimits::default()
    };
    let small = Node::start(
        ServerOptions {
            limits,
            ..ServerOptions::default()
        },
        fake,
    )
    .await;
    let client = connect(options(&small.address)).client;
    let refused = client.evaluate(support::batch_of_bytes(1000)).await.unwrap_err();
    assert!(
        refused.to_string().contains("is over the limit of 1000 bytes"),
        "{refused}"
    );
    client.evaluate(batch("a", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_finishes_what_is_in_flight_and_the_rest_goes_to_the_next_server() {
    let address = free_address();
    let first = Arc::new(Fake::default());
    let node = Node::start_at(&address, ServerOptions::default(), Arc::clone(&first)).await;
    let client = connect(options(&address)).client;
    first.hold("held");
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.evaluate(batch("held", 1)).await }
    });
    eventually(|| first.running.load(Ordering::SeqCst) == 1).await;
    node.shutdown.begin("test");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = tokio::spawn({
        let client = client.clone();
        async move { client.evaluate(batch("later", 1)).await }
    });
    assert!(!node.task.is_finished());
    first.release();
    held.await.unwrap().unwrap();
    node.task.await.unwrap().unwrap();
    assert_eq!(first.seen(), 1);
    let second = Arc::new(Fake::default());
    let _node = Node::start_at(&address, ServerOptions::default(), Arc::clone(&second)).await;
    later.await.unwrap().unwrap();
    assert_eq!(second.seen(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_ends_the_server_although_a_request_never_ends() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    let connected = connect(options(&node.address));
    fake.hold("held");
    let held = tokio::spawn(async move { connected.client.evaluate(batch("held", 1)).await });
    eventually(|| fake.running.load(Ordering::SeqCst) == 1).await;
    node.shutdown.begin("test");
    node.shutdown.abort("deadline");
    node.task.await.unwrap().unwrap();
    assert!(!held.is_finished());
    // The caller is answered when its own client stops.
    connected.stop.cancel();
    let error = held.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "rules-node unavailable: client stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_beyond_the_limit_are_turned_away_until_one_ends() {
    let fake = Arc::new(Fake::default());
    let limits = StreamLimits {
        streams_max: 1,
        ..StreamLimits::default()
    };
    let node = Node::start(
        ServerOptions {
            limits,
            ..ServerOptions::default()
        },
        fake,
    )
    .await;
    let first = connect(options(&node.address));
    first.client.evaluate(batch("a", 1)).await.unwrap();
    let second = connect(options(&node.address));
    let mut state = second.client.link_state();
    let down = state
        .wait_for(|state| matches!(state, LinkState::Down { .. }))
        .await
        .unwrap()
        .clone();
    assert!(format!("{down:?}").contains("1 streams are open"), "{down:?}");
    first.stop.cancel();
    second.client.evaluate(batch("b", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_stopped_answers_at_once() {
    let (client, task) = RulesNodeClient::new(options(&free_address()));
    let stop = CancellationToken::new();
    stop.cancel();
    task.run(stop).await;
    let error = client.evaluate(batch("a", 1)).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(*client.link_state().borrow(), LinkState::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let client = connect(ClientOptions {
        connect_timeout: Duration::from_millis(100),
        ..options(&address)
    })
    .client;
    let mut state = client.link_state();
    let down = state
        .wait_for(|state| matches!(state, LinkState::Down { .. }))
        .await
        .unwrap()
        .clone();
    assert!(format!("{down:?}").contains("within 0.1 s"), "{down:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_come_from_the_dialer_and_the_incoming_stream_that_one_gives() {
    use streamalert_service::{Dialer, Io};
    // No socket: the two ends of a pipe in memory, and time that only moves when all is idle.
    let (to_server, incoming) = tokio::sync::mpsc::channel::<std::io::Result<tokio::io::DuplexStream>>(4);
    let dialer = Dialer::new(move |_| {
        let to_server = to_server.clone();
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(1 << 16);
            to_server.send(Ok(far)).await.map_err(std::io::Error::other)?;
            Ok(Box::new(near) as Box<dyn Io>)
        })
    });
    let shutdown = Shutdown::new();
    let fake = Arc::new(Fake {
        delay: Some(Duration::from_secs(60)),
        ..Fake::default()
    });
    let server = GrpcServer::new(ServerOptions::default(), shutdown.clone()).records(Arc::clone(&fake) as _);
    let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
    let serving = tokio::spawn(server.serve_incoming(incoming));
    let backoff = BackoffOptions::default();
    let client = connect(ClientOptions {
        dialer,
        backoff,
        ..options("rules-node:1")
    })
    .client;
    let started = tokio::time::Instant::now();
    client.evaluate(batch("a", 2)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(60));
    shutdown.begin("test");
    serving.await.unwrap().unwrap();
}
