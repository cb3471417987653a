use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use streamalert_store::MemoryStore;
use streamalert_types::{AlertId, ManualClock};

use super::*;
use crate::outputs::fixtures::alert;
use crate::{
    DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherOptions, Output, OutputRegistry, Publication,
    Receipt, SendError,
};

/// What all nodes' outputs got.
#[derive(Debug, Default)]
struct World {
    got: Mutex<BTreeMap<String, u32>>,
    /// Attempts under way, by node.
    busy: Mutex<BTreeMap<String, u32>>,
    /// Whether two nodes were at one output at the same time.
    clashed: AtomicBool,
}

struct Slow {
    node: String,
    world: Arc<World>,
}

#[async_trait]
impl Output for Slow {
    async fn send(&self, _: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let change = |by: i64| {
            let mut busy = self.world.busy.lock().unwrap();
            let count = busy.entry(self.node.clone()).or_default();
            *count = u32::try_from(i64::from(*count) + by).unwrap();
            if busy.values().filter(|count| **count > 0).count() > 1 {
                self.world.clashed.store(true, Ordering::Release);
            }
        };
        change(1);
        sleep(Duration::from_secs(3)).await;
        change(-1);
        *self.world.got.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        Ok(Receipt::default())
    }
}

struct Member {
    node: DispatcherNode,
    tasks: Vec<JoinHandle<()>>,
}

impl Member {
    async fn start(name: &str, outputs: &[&str], store: &MemoryStore, world: &Arc<World>) -> Self {
        let mut registry = OutputRegistry::default();
        for output in outputs {
            let made = Slow {
                node: format!("{name} {output}"),
                world: Arc::clone(world),
            };
            let options = DeliveryOptions {
                concurrency: 4,
                ..DeliveryOptions::default()
            };
            registry.insert(output.parse().unwrap(), Arc::new(made), options);
        }
        let clock = Arc::new(ManualClock::at("2026-01-31T08:00:00.000000Z".parse().unwrap()));
        let (handle, task) = Dispatcher {
            options: DispatcherOptions::default(),
            outputs: registry,
            publisher: Arc::new(DefaultPublisher),
            dead_letters: Arc::new(store.clone()),
            clock: clock.clone(),
            seed: 1,
        }
        .start();
        let options = SlotOptions {
            slots: 8,
            ..SlotOptions::new(name, Some(format!("{name}:4000")))
        };
        let (node, keeping) = DispatcherNode::start(options, handle, Arc::new(store.clone()), clock)
            .await
            .unwrap();
        Self {
            node,
            tasks: vec![task, keeping],
        }
    }

    async fn owns(&self, slots: usize) {
        while self.node.slots() != slots {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// As a merger does: asks one after the other until one has delivered it.
async fn deliver(nodes: Vec<DispatcherNode>, delivery: Delivery) {
    loop {
        for node in &nodes {
            if node.deliver(delivery.clone()).await.is_ok() {
                return;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn delivery(number: u32, output: &str) -> Delivery {
    Delivery {
        alert: Arc::new(alert(number)),
        output: output.parse().unwrap(),
        update: None,
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_share_the_outputs_and_name_each_other() {
    let names: Vec<String> = (0..20).map(|number| format!("webhook:{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (store, world) = (MemoryStore::new(), Arc::default());
    let one = Member::start("one", &names, &store, &world).await;
    let other = Member::start("other", &names, &store, &world).await;
    tokio::join!(one.owns(4), other.owns(4));
    // Each reads the table from time to time.
    sleep(Duration::from_secs(30)).await;
    let mut owners = BTreeSet::new();
    for name in names {
        let asked = [&one, &other].map(|member| member.node.deliver(delivery(1, name)));
        let answers = futures_of(asked).await;
        let owner = answers.iter().position(Result::is_ok).unwrap();
        owners.insert(owner);
        let expected = NotOwned {
            shard: SlotId::of(&name.parse().unwrap(), 8).0,
            address: Some(["one:4000", "other:4000"][owner].to_owned()),
        };
        let refused = NeighbourError::NotOwner {
            service: "dispatcher",
            shards: vec![expected],
        };
        assert_eq!(answers[1 - owner], Err(refused));
    }
    assert_eq!(owners.len(), 2, "both have something");
}

async fn futures_of<T>(asked: [impl Future<Output = T>; 2]) -> [T; 2] {
    let [one, other] = asked;
    tokio::join!(one, other).into()
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_handed_over_ends_its_attempts_first_and_nothing_is_sent_twice() {
    let (store, world) = (MemoryStore::new(), Arc::<World>::default());
    let one = Member::start("one", &["webhook:a"], &store, &world).await;
    one.owns(8).await;
    let other = Member::start("other", &["webhook:a"], &store, &world).await;
    let mut callers = JoinSet::new();
    for number in 0..60 {
        let nodes = vec![one.node.clone(), other.node.clone()];
        callers.spawn(deliver(nodes, delivery(number, "webhook:a")));
    }
    callers.join_next().await;
    one.node.drain().await;
    assert_eq!(one.node.slots(), 0);
    while callers.join_next().await.is_some() {}
    let got = world.got.lock().unwrap();
    assert_eq!(got.len(), 60);
    assert!(got.values().all(|times| *times == 1), "{got:?}");
    assert!(!world.clashed.load(Ordering::Acquire));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_had_is_delivered_by_the_next() {
    let (store, world) = (MemoryStore::new(), Arc::<World>::default());
    let one = Member::start("one", &["webhook:a"], &store, &world).await;
    one.owns(8).await;
    let mut callers = JoinSet::new();
    for number in 0..20 {
        callers.spawn({
            let node = one.node.clone();
            async move { node.deliver(delivery(number, "webhook:a")).await.is_ok() }
        });
    }
    assert!(callers.join_next().await.unwrap().unwrap());
    for task in &one.tasks {
        task.abort();
    }
    let delivered: BTreeSet<String> = world.got.lock().unwrap().keys().cloned().collect();
    assert!(delivered.len() < 20);
    let other = Member::start("other", &["webhook:a"], &store, &world).await;
    let begun = Instant::now();
    for number in 0..20 {
        let key = format!("{}/webhook:a", AlertId::from_u128(u128::from(number) + 1));
        if !delivered.contains(&key) {
            deliver(vec![other.node.clone()], delivery(number, "webhook:a")).await;
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(30 + 5 + 3 * 20));
    assert_eq!(world.got.lock().unwrap().len(), 20);
}
