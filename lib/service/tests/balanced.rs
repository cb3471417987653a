//! Several rules-nodes behind one client.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamalert_proto::{NeighbourError, Records};
use streamalert_service::{BalancedOptions, BalancedRecords, PeerNames, Resolver, ServerOptions};
use support::{Fake, Node, batch, eventually, free_address, options};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Client {
    records: BalancedRecords,
    stop: CancellationToken,
}

impl Client {
    fn start(options: BalancedOptions) -> Self {
        let (records, task) = BalancedRecords::new(options);
        let stop = CancellationToken::new();
        tokio::spawn(task.run(stop.clone()));
        Self { records, stop }
    }

    fn listed(addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Self::start(BalancedOptions::new(PeerNames::Listed(addresses), options("")))
    }

    /// Sends batches of these names; they run until joined.
    fn send(&self, names: impl IntoIterator<Item = String>) -> JoinSet<Result<(), NeighbourError>> {
        let mut open = JoinSet::new();
        for name in names {
            let records = self.records.clone();
            open.spawn(async move { records.evaluate(batch(&name, 1)).await.map(drop) });
        }
        open
    }
}

async fn all_ok(open: JoinSet<Result<(), NeighbourError>>) {
    for result in open.join_all().await {
        result.unwrap();
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_work_and_one_that_is_not_there_is_left_out() {
    let (one, other) = (Arc::new(Fake::default()), Arc::new(Fake::default()));
    let first = Node::start(ServerOptions::default(), Arc::clone(&one)).await;
    let second = Node::start(ServerOptions::default(), Arc::clone(&other)).await;
    let client = Client::listed(&[&first.address, &second.address, &free_address()]);
    for name in names("a", 60) {
        all_ok(client.send([name])).await;
    }
    assert_eq!(one.seen() + other.seen(), 60);
    // The link to one of them may have been there a moment earlier.
    assert!(
        one.seen() > 10 && other.seen() > 10,
        "{} {}",
        one.seen(),
        other.seen()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_had_is_evaluated_by_another() {
    let (one, other) = (Arc::new(Fake::default()), Arc::new(Fake::default()));
    let address = free_address();
    one.hold("held");
    let first = Node::kill_able(&address, ServerOptions::default(), Arc::clone(&one));
    let client = Client::listed(&[&address]);
    let open = client.send(["held".to_owned()]);
    eventually(|| one.running.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    client.stop.cancel();
    let stopped = open.join_all().await.pop().unwrap().unwrap_err();
    assert_eq!(stopped.to_string(), "rules-node unavailable: client stopped");

    let second = Node::start(ServerOptions::default(), Arc::clone(&other)).await;
    let client = Client::listed(&[&address, &second.address]);
    let open = client.send(vec!["held".to_owned(); 20]);
    eventually(|| one.running.load(std::sync::atomic::Ordering::SeqCst) > 0).await;
    first.kill();
    all_ok(open).await;
    assert_eq!(one.seen(), 0);
    assert_eq!(other.seen(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_is_rested_and_its_batch_goes_to_the_next() {
    let node = Node::start(ServerOptions::default(), Arc::new(Fake::default())).await;
    let client = Client::listed(&[&node.address]);
    let error = client
        .records
        .evaluate(batch("unavailable", 1))
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
    client.records.evaluate(batch("a", 1)).await.unwrap();
    let refused = client.records.evaluate(batch("refuse", 1)).await.unwrap_err();
    assert!(!refused.is_retryable(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_looked_up_again_and_leads_to_the_nodes_that_have_it_then() {
    let (one, other) = (Arc::new(Fake::default()), Arc::new(Fake::default()));
    let first = Node::start(ServerOptions::default(), Arc::clone(&one)).await;
    let second = Node::start(ServerOptions::default(), Arc::clone(&other)).await;
    let found: Arc<Mutex<Vec<SocketAddr>>> = Arc::new(Mutex::new(vec![first.address.parse().unwrap()]));
    let answers = Arc::clone(&found);
    let resolver = Resolver::new(move |host, port| {
        assert_eq!((host.as_str(), port), ("rules.internal", 7412));
        let found = answers.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    });
    let host = "rules.internal".to_owned();
    let client = Client::start(BalancedOptions {
        resolver,
        resolve_every: Duration::from_millis(20),
        ..BalancedOptions::new(PeerNames::Dns { host, port: 7412 }, options(""))
    });
    all_ok(client.send(names("a", 5))).await;
    assert_eq!((one.seen(), other.seen()), (5, 0));
    // No addresses are no reason to forget those known.
    found.lock().unwrap().clear();
    all_ok(client.send(names("b", 5))).await;
    found.lock().unwrap().push(second.address.parse().unwrap());
    while other.seen() == 0 {
        all_ok(client.send(names("c", 1))).await;
    }
    let before = one.seen();
    all_ok(client.send(names("d", 5))).await;
    assert_eq!(one.seen(), before);
}
