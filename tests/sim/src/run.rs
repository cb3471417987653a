//! One run: the network with all nodes, the passing of time, and what a scenario can do to them.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamalert_store::MemoryStore;
use turmoil::{Builder, Sim};

use crate::checks::{at_rest, check};
use crate::invariants::Invariant;
use crate::mutants::Mutant;
use crate::nodes::Node;
use crate::script::Script;
use crate::world::{Behaviour, StoreFaults, World};

/// The dispatchers of every run.
pub(crate) const DISPATCHERS: [&str; 2] = ["d0", "d1"];

/// No run lasts longer.
const LONGEST: Duration = Duration::from_hours(12);

/// After the end of all faults everything must be at rest within this: a window, two terms, the longest pauses.
const REST_WITHIN: Duration = Duration::from_mins(5);

/// What a run consists of.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) classifiers: u64,
    pub(crate) mergers: u64,
    /// Mergers that are not started at the beginning.
    pub(crate) mergers_later: u64,
    /// Per classifier.
    pub(crate) payloads: u64,
    /// Time between two payloads of a classifier.
    pub(crate) pace: Duration,
    /// Different merge keys.
    pub(crate) keys: u64,
    /// How far time goes in one step: what happens on different nodes within it is seen by the others after it.
    pub(crate) tick: Duration,
    /// The store cannot fence and write in one commit.
    pub(crate) late_writes: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            classifiers: 2,
            mergers: 2,
            mergers_later: 0,
            payloads: 150,
            pace: Duration::from_millis(400),
            keys: 12,
            tick: Duration::from_millis(10),
            late_writes: false,
        }
    }
}

/// See the module.
pub(crate) struct Run {
    sim: Sim<'static>,
    pub(crate) world: World,
    pub(crate) rng: StdRng,
    /// Nodes that are down, and when they come back.
    down: BTreeMap<String, Duration>,
    names: Vec<String>,
    /// A node ended with an error; nothing can go on.
    broken: bool,
}

impl Run {
    pub(crate) fn new(setup: &Setup, seed: u64, mutant: Option<Mutant>, print: bool) -> Self {
        let scripts = (0..setup.classifiers).map(|at| Script::new(seed, at, setup.payloads, setup.keys));
        let memory = if setup.late_writes {
            MemoryStore::new().with_late_writes()
        } else {
            MemoryStore::new()
        };
        let world = World::new(seed, memory, scripts.collect(), mutant);
        world.inner().history.print = print;
        let sim = Builder::new()
            .rng_seed(seed)
            .epoch(UNIX_EPOCH)
            .simulation_duration(LONGEST)
            .tick_duration(setup.tick)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(30))
            .tcp_capacity(1 << 14)
            .enable_random_order()
            .build();
        let mut run = Self {
            sim,
            world,
            rng: StdRng::seed_from_u64(seed ^ 0x5ce2_a210),
            down: BTreeMap::new(),
            names: Vec::new(),
            broken: false,
        };
        run.add_nodes(setup);
        run
    }

    fn add_nodes(&mut self, setup: &Setup) {
        let node = |name: String| Node {
            name,
            world: self.world.clone(),
        };
        let mergers: Vec<String> = (0..setup.mergers + setup.mergers_later)
            .map(|at| format!("m{at}"))
            .collect();
        for name in DISPATCHERS {
            let dispatcher = node(name.to_owned());
            self.sim.host(name, move || dispatcher.clone().dispatcher());
        }
        for name in mergers
            .iter()
            .take(usize::try_from(setup.mergers).unwrap_or(usize::MAX))
        {
            let merger = node(name.clone());
            self.sim.host(&**name, move || merger.clone().merger());
        }
        let rules = node("r0".to_owned());
        self.sim.host("r0", move || rules.clone().rules_node());
        let mut names: Vec<String> = DISPATCHERS.into_iter().chain(["r0"]).map(str::to_owned).collect();
        for at in 0..setup.classifiers {
            let classifier = node(format!("c{at}"));
            names.push(classifier.name.clone());
            let (script, pace) = (usize::try_from(at).unwrap_or(usize::MAX), setup.pace);
            self.sim.host(format!("c{at}"), move || {
                classifier.clone().classifier(script, pace)
            });
        }
        // The names of those to come must be known to those that call them.
        for name in &mergers {
            self.sim.lookup(&**name);
        }
        names.extend(
            mergers
                .into_iter()
                .take(usize::try_from(setup.mergers).unwrap_or(usize::MAX)),
        );
        self.names = names;
    }

    /// Starts a merger that was not there at the beginning.
    pub(crate) fn join(&mut self, name: &str) {
        let merger = Node {
            name: name.to_owned(),
            world: self.world.clone(),
        };
        self.names.push(name.to_owned());
        self.sim.host(name, move || merger.clone().merger());
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub(crate) fn now(&self) -> Duration {
        self.sim.elapsed()
    }

    /// Adds to the trace.
    pub(crate) fn note(&self, what: &str) {
        self.world.inner().history.note(self.now(), what);
    }

    fn step(&mut self) {
        if self.broken {
            return;
        }
        if let Err(problem) = self.sim.step() {
            self.broken = true;
            self.violated(Invariant::Rest, format!("a node ended with an error: {problem}"));
            return;
        }
        let dying: Vec<String> = {
            let inner = self.world.inner();
            let nodes = inner.nodes.iter().filter(|(_, node)| node.dying);
            nodes.map(|(name, _)| name.clone()).collect()
        };
        for name in dying
            .into_iter()
            .filter(|name| !self.down.contains_key(name))
            .collect::<Vec<_>>()
        {
            let pause = Duration::from_millis(self.rng.random_range(100..4_000));
            self.crash(&name, pause);
        }
        let now = self.now();
        let back = self.down.iter().filter(|(_, at)| **at <= now);
        for name in back.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.down.remove(&name);
            self.sim.bounce(&*name);
        }
    }

    /// Lets time go by.
    pub(crate) fn go(&mut self, duration: Duration) {
        let end = self.now() + duration;
        while self.now() < end && !self.broken {
            self.step();
        }
    }

    /// Lets a few seconds go by, how many is left to chance.
    pub(crate) fn go_about(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let micros = self.rng.random_range(micros / 2..=micros + micros / 2);
        self.go(Duration::from_micros(micros));
    }

    /// Lets time go by until `condition` holds, looked at twice a second; false when it does not within `limit`.
    pub(crate) fn until(&mut self, limit: Duration, mut condition: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now() + limit;
        while !condition(self) {
            if self.now() >= end || self.broken {
                return false;
            }
            self.go(Duration::from_millis(500));
        }
        true
    }

    /// Kills a node; it is started again after `pause`.
    pub(crate) fn crash(&mut self, name: &str, pause: Duration) {
        self.note(&format!("{name} is killed, back in {pause:?}"));
        self.world.inner().history.figures.crashes += 1;
        self.sim.crash(name);
        self.down.insert(name.to_owned(), self.now() + pause);
    }

    /// Has a node end in good order, and starts it again at once.
    pub(crate) fn restart(&mut self, name: &str) {
        self.stop(name);
        self.sim.bounce(name);
    }

    /// Has a node end in good order.
    pub(crate) fn stop(&mut self, name: &str) {
        self.note(&format!("{name} is told to end"));
        self.world.inner().history.figures.restarts += 1;
        self.world.node(name, |node| node.stop.clone()).cancel();
        let ended = self.until(Duration::from_mins(2), |run| !run.sim.is_host_running(name));
        if !ended {
            self.violated(Invariant::Rest, format!("{name} does not end"));
        }
    }

    pub(crate) fn is_up(&self, name: &str) -> bool {
        !self.down.contains_key(name)
    }

    /// Drops every message between two nodes.
    pub(crate) fn partition(&mut self, a: &str, b: &str) {
        self.note(&format!("{a} and {b} cannot talk"));
        self.world.inner().history.figures.partitions += 1;
        self.sim.partition(a, b);
    }

    pub(crate) fn repair(&mut self, a: &str, b: &str) {
        self.note(&format!("{a} and {b} can talk"));
        self.sim.repair(a, b);
    }

    /// Changes what goes wrong between a node and its store.
    pub(crate) fn store(&self, name: &str, change: impl FnOnce(&mut StoreFaults)) {
        self.world.node(name, |node| change(&mut node.faults));
        self.note(&format!("the store of {name} changes"));
    }

    pub(crate) fn output(&self, name: &str, behaviour: Behaviour) {
        self.note(&format!("{name}: {behaviour:?}"));
        self.world.inner().outputs.insert(name.to_owned(), behaviour);
    }

    /// How much longer than its window a group may live in this run.
    pub(crate) fn allow_windows(&self, bound: Duration) {
        self.world.inner().window_bound = bound;
    }

    fn violated(&self, invariant: Invariant, seen: String) {
        self.world.inner().history.violated(self.now(), invariant, seen);
    }

    /// The scenario is worth nothing unless this holds.
    pub(crate) fn require(&self, made: bool, what: &str) {
        if !made {
            self.violated(Invariant::Fault, format!("not so: {what}"));
        }
    }

    /// What was written to leases so far, by key: the epochs.
    pub(crate) fn epochs(&self) -> BTreeMap<String, u64> {
        use futures::FutureExt;
        let leases = streamalert_store::LeaseStore::list(&self.world.memory, "merger/").now_or_never();
        let leases = leases.and_then(Result::ok).unwrap_or_default();
        leases.into_iter().map(|lease| (lease.key, lease.epoch)).collect()
    }

    /// How many shards each merger has.
    pub(crate) fn owners(&self) -> BTreeMap<String, u64> {
        use futures::FutureExt;
        let leases = streamalert_store::LeaseStore::list(&self.world.memory, "merger/").now_or_never();
        let mut owners = BTreeMap::new();
        for lease in leases.and_then(Result::ok).unwrap_or_default() {
            if let Some(owner) = lease.owner {
                *owners.entry(owner).or_default() += 1;
            }
        }
        owners
    }

    /// Ends all faults, waits for rest, and checks what only the end shows.
    pub(crate) fn finish(&mut self) {
        for node in self.world.inner().nodes.values_mut() {
            node.faults = StoreFaults::default();
        }
        self.world.inner().outputs.clear();
        self.note("no more faults");
        let world = self.world.clone();
        let rested = self.until(REST_WITHIN + self.remaining(), |_| at_rest(&world));
        self.note(if rested { "at rest" } else { "not at rest" });
        check(&self.world, self.now());
    }

    /// How long the sources still need by themselves.
    fn remaining(&self) -> Duration {
        let longest = self
            .world
            .scripts
            .iter()
            .map(|script| script.payloads.len())
            .max();
        Duration::from_millis(500) * u32::try_from(longest.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}
