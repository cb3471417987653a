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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
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

/// SRV records of one name: priority, weight and port, each with an address of its own target.
type Known = Arc<Mutex<Vec<(u16, u16, u16)>>>;

/// The answer of a name server that knows one name; all others it denies.
fn srv_answer(asked: &[u8], records: &[(u16, u16, u16)], truncated: bool) -> Vec<u8> {
    let end = 12 + asked[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let known = asked[12..].starts_with(b"\x0b_rules-node\x04_tcp\x08internal\0");
    let count = if known && !truncated { records.len() } else { 0 };
    let flags = if truncated { 0x83 } else { 0x81 };
    let code = if known { 0x80 } else { 0x83 };
    let mut answer = asked[..2].to_vec();
    answer.extend([flags, code, 0, 1, 0, count as u8, 0, 0, 0, count as u8]);
    answer.extend(&asked[12..end]);
    let target = |n: usize| vec![2, b'n', b'0' + n as u8, 0];
    for (n, (priority, weight, port)) in records.iter().take(count).enumerate() {
        answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 10]);
        for word in [priority, weight, port] {
            answer.extend(word.to_be_bytes());
        }
        answer.extend(target(n));
    }
    for n in 0..count {
        answer.extend(target(n));
        answer.extend([0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// A name server on the loopback interface, by UDP and by TCP. By UDP it tells, from the fourth record on, that there is
/// more than fits.
async fn name_server(records: Known) -> SocketAddr {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    let known = Arc::clone(&records);
    tokio::spawn(async move {
        let mut asked = [0; 512];
        loop {
            let (length, from) = udp.recv_from(&mut asked).await.unwrap();
            let known = known.lock().unwrap().clone();
            // Something else first, which is not to be taken for the answer.
            udp.send_to(&[0; 12], from).await.unwrap();
            let answer = srv_answer(&asked[..length], &known, known.len() > 3);
            udp.send_to(&answer, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut asked = vec![0; usize::from(length)];
            stream.read_exact(&mut asked).await.unwrap();
            let answer = srv_answer(&asked, &records.lock().unwrap(), false);
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

fn port_of(node: &Node) -> u16 {
    node.address.parse::<SocketAddr>().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srv_records_are_followed_by_priority_and_asked_for_again() {
    let fakes: Vec<Arc<Fake>> = (0..3).map(|_| Arc::new(Fake::default())).collect();
    let mut nodes = Vec::new();
    for fake in &fakes {
        nodes.push(Node::start(ServerOptions::default(), Arc::clone(fake)).await);
    }
    let free = free_address().parse::<SocketAddr>().unwrap().port();
    let records: Known = Arc::new(Mutex::new(vec![
        (1, 10, port_of(&nodes[0])),
        (2, 10, port_of(&nodes[1])),
        (1, 10, free),
    ]));
    let server = name_server(Arc::clone(&records)).await;
    let dead: SocketAddr = free_address().parse().unwrap();
    let names_of = |name: &str| BalancedOptions {
        resolver: Resolver::system().with_name_servers(vec![dead, server]),
        resolve_every: Duration::from_millis(20),
        ..BalancedOptions::new(
            PeerNames::Srv {
                name: name.to_owned(),
            },
            options(""),
        )
    };
    let client = Client::start(names_of("_rules-node._tcp.internal"));
    // The link to the one of the second priority may be there a moment earlier.
    while fakes[0].seen() == 0 {
        all_ok(client.send(names("a", 1))).await;
    }
    let before = fakes[1].seen();
    all_ok(client.send(names("b", 10))).await;
    assert_eq!(fakes[1].seen(), before);
    // More than a datagram tells, and other nodes than before.
    *records.lock().unwrap() = vec![
        (0, 1, port_of(&nodes[2])),
        (5, 0, free),
        (5, 0, free),
        (5, 0, free),
    ];
    while fakes[2].seen() == 0 {
        all_ok(client.send(names("c", 1))).await;
    }
    let before = (fakes[0].seen(), fakes[1].seen());
    all_ok(client.send(names("d", 10))).await;
    assert_eq!((fakes[0].seen(), fakes[1].seen()), before);

    let lost = Client::start(names_of("_nobody._tcp.internal"));
    let waiting = lost.records.evaluate(batch("e", 1));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), waiting)
            .await
            .is_err()
    );
}
