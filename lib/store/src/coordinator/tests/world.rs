//! Several coordinators on one store, in a simulated time that passes differently for each of them, over a network
//! that delays, loses and repeats.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::{Mutant, TERM, secs};
use crate::conformance::{fence, moment, stored};
use crate::lease::fenced_shard;
use crate::{AlertStore, LeaseAnswer, LeaseStore, MemoryStore, StoreError};

const LEASES: u16 = 12;

/// Within this after the last fault every lease has an owner, and the nodes have equal shares: a term until the
/// dead are noticed, a term for those that hand over slowly, and a term for slow clocks, lost calls and rounds.
const SETTLED: Duration = Duration::from_secs(90);

pub(super) struct Scenario {
    seed: u64,
    mutant: Option<Mutant>,
}

impl Scenario {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        Self { seed, mutant }
    }
}

/// What happens at a node, or to what it has sent.
#[derive(Clone)]
enum Action {
    /// Unless another was planned since.
    Tick(u64),
    /// The store carries out a call.
    Execute(Effect),
    Deliver(Event),
    /// Work under a lease begins; it is written after a while.
    Work(String),
    Write(String, u64),
}

struct Node {
    name: String,
    coordinator: Coordinator,
    alive: bool,
    stopping: bool,
    cut_off: bool,
    /// Its clock: origin in milliseconds, and permille of the true speed.
    clock: (u64, u64),
    /// What it works on, under which epoch.
    works: BTreeMap<String, u64>,
    ticks: u64,
}

struct World {
    seed: u64,
    mutant: Option<Mutant>,
    random: u64,
    store: MemoryStore,
    now: Duration,
    queue: BTreeMap<(Duration, u64), (usize, Action)>,
    sequence: u64,
    nodes: Vec<Node>,
    faults: bool,
    /// All that was disturbed has settled once.
    settled: bool,
    /// Who took each lease under each epoch.
    takers: BTreeMap<(String, u64), usize>,
    /// The epoch of the last write to each lease's shard that took place, and whose it was.
    committed: BTreeMap<String, (u64, usize)>,
    moved: BTreeSet<String>,
    moves: u32,
}

type Checked = Result<(), String>;

pub(super) async fn run(scenario: &Scenario) -> Checked {
    let mut world = World::new(scenario);
    let mut leases: Vec<Lease> = (0..LEASES)
        .map(|at| Lease::free(format!("merger/{at}")))
        .collect();
    leases[1].parents = vec!["merger/0".to_owned()];
    world.store.create(leases).await.unwrap();
    for _ in 0..1 + world.pick(3) {
        world.join();
    }
    world.faults = true;
    for _ in 0..12 {
        world.disturb();
        let pause = 1 + world.pick(40);
        world.pass(secs(pause)).await?;
    }
    world.heal();
    world.pass(SETTLED).await?;
    world.check_settled()?;
    world.quiet().await?;

    world.settled = true;
    world.join();
    let before = world.counts();
    world.moved.clear();
    world.pass(SETTLED).await?;
    let share = usize::from(LEASES) / (before.len() + 1) + 1;
    if world.moved.len() > share {
        return Err(format!(
            "changed hands without need at a join: {:?}, {share}",
            world.moved
        ));
    }
    world.check_settled()?;
    world.quiet().await?;

    let (leaver, graceful) = (world.a_living(), world.pick(2) == 0);
    let had: BTreeSet<String> = world.nodes[leaver].works.keys().cloned().collect();
    world.moved.clear();
    world.leave(leaver, graceful);
    world.pass(SETTLED).await?;
    if world.nodes.iter().any(|node| node.alive) {
        world.check_settled()?;
    }
    let others = world.moved.difference(&had).count();
    if others > 1 {
        return Err(format!(
            "changed hands without need at a leave: {:?}, {had:?}",
            world.moved
        ));
    }
    world.quiet().await
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        Self {
            seed: scenario.seed,
            mutant: scenario.mutant,
            random: scenario.seed.wrapping_mul(77).wrapping_add(5),
            store: MemoryStore::new(),
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            nodes: Vec::new(),
            faults: false,
            settled: false,
            takers: BTreeMap::new(),
            committed: BTreeMap::new(),
            moved: BTreeSet::new(),
            moves: 0,
        }
    }

    fn pick(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(self.seed | 1);
        (self.random >> 33) % below
    }

    fn schedule(&mut self, after: Duration, node: usize, action: Action) {
        self.sequence += 1;
        self.queue
            .insert((self.now + after, self.sequence), (node, action));
    }

    fn join(&mut self) {
        let name = format!("node-{}", self.nodes.len());
        self.start(name);
    }

    fn start(&mut self, name: String) {
        let mut coordinator = Coordinator::new(CoordinatorOptions::new(name.clone()));
        let early = |mutant: &Mutant| *mutant != Mutant::AsksForAll || self.settled;
        coordinator.mutant = self.mutant.filter(early);
        let clock = (self.pick(1_000_000_000), 900 + self.pick(201));
        self.nodes.push(Node {
            name,
            coordinator,
            alive: true,
            stopping: false,
            cut_off: false,
            clock,
            works: BTreeMap::new(),
            ticks: 0,
        });
        self.schedule(Duration::ZERO, self.nodes.len() - 1, Action::Tick(0));
    }

    fn living(&self) -> Vec<usize> {
        let alive = |at: &usize| self.nodes[*at].alive && !self.nodes[*at].stopping;
        (0..self.nodes.len()).filter(alive).collect()
    }

    fn a_living(&mut self) -> usize {
        let living = self.living();
        let at = self.pick(living.len() as u64);
        living[at as usize]
    }

    fn leave(&mut self, node: usize, graceful: bool) {
        if graceful {
            self.nodes[node].stopping = true;
            self.schedule(Duration::ZERO, node, Action::Deliver(Event::Stop));
        } else {
            self.nodes[node].alive = false;
            self.nodes[node].works.clear();
        }
    }

    fn disturb(&mut self) {
        let living = self.living();
        match self.pick(7) {
            0 | 1 if living.len() < 4 => self.join(),
            2 if living.len() > 1 => {
                let node = self.a_living();
                self.leave(node, true);
            }
            3 | 4 => {
                let node = self.a_living();
                self.leave(node, false);
                // The same name again, or a new one.
                let name = self.nodes[node].name.clone();
                if self.pick(2) == 0 {
                    self.start(name)
                } else {
                    self.join()
                }
            }
            5 => {
                let node = self.a_living();
                self.nodes[node].cut_off ^= true;
            }
            _ => {}
        }
    }

    fn heal(&mut self) {
        self.faults = false;
        for node in &mut self.nodes {
            node.cut_off = false;
        }
    }

    async fn pass(&mut self, time: Duration) -> Checked {
        let until = self.now + time;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = entry.key().0;
            let (node, action) = entry.remove();
            if self.nodes[node].alive || matches!(action, Action::Execute(_) | Action::Write(..)) {
                self.act(node, action).await?;
            }
        }
        self.now = until;
        Ok(())
    }

    async fn act(&mut self, node: usize, action: Action) -> Checked {
        match action {
            Action::Tick(number) if number < self.nodes[node].ticks => Ok(()),
            Action::Tick(_) => self.apply(node, Event::Tick),
            Action::Deliver(event) => self.apply(node, event),
            Action::Execute(effect) => {
                let event = self.execute(node, effect).await?;
                if !self.faults || (!self.nodes[node].cut_off && self.pick(30) > 0) {
                    let delay = self.delay();
                    self.schedule(delay, node, Action::Deliver(event));
                }
                Ok(())
            }
            Action::Work(key) => {
                if let Some(epoch) = self.nodes[node].works.get(&key).copied() {
                    let delay = self.delay();
                    self.schedule(delay, node, Action::Write(key.clone(), epoch));
                    self.schedule(secs(1), node, Action::Work(key));
                }
                Ok(())
            }
            Action::Write(key, epoch) => self.write(node, key, epoch).await,
        }
    }

    fn delay(&mut self) -> Duration {
        let slow = if self.faults { self.pick(40) } else { 1 };
        let millis = match slow {
            0 => self.pick(40_000),
            _ => 1 + self.pick(60),
        };
        Duration::from_millis(millis)
    }

    fn local(&self, node: usize) -> Duration {
        let (origin, speed) = self.nodes[node].clock;
        Duration::from_millis(origin) + self.now * u32::try_from(speed).unwrap() / 1000
    }

    fn apply(&mut self, node: usize, event: Event) -> Checked {
        let at = self.local(node);
        for effect in self.nodes[node].coordinator.apply(at, event) {
            self.carry_out(node, effect)?;
        }
        let wait = self.nodes[node].coordinator.next_tick().saturating_sub(at);
        let speed = u32::try_from(self.nodes[node].clock.1).unwrap();
        if !self.nodes[node].coordinator.stopped {
            self.nodes[node].ticks += 1;
            let tick = Action::Tick(self.nodes[node].ticks);
            self.schedule(wait * 1000 / speed + Duration::from_millis(1), node, tick);
        }
        Ok(())
    }

    fn carry_out(&mut self, node: usize, effect: Effect) -> Checked {
        match effect {
            Effect::Own(lease) => {
                // Its parent never ends.
                if lease.key == "merger/1" {
                    return Err("merger/1 is worked on before its parent is done".to_owned());
                }
                self.nodes[node].works.insert(lease.key.clone(), lease.epoch);
                let delay = self.delay();
                self.schedule(delay, node, Action::Work(lease.key));
            }
            Effect::Lost { key, .. } => drop(self.nodes[node].works.remove(&key)),
            Effect::HandOver { key, .. } => {
                // Seldom an owner does not come to an end with it.
                let millis = if self.faults && self.pick(10) == 0 {
                    60_000
                } else {
                    self.pick(3_000)
                };
                self.nodes[node].works.remove(&key);
                let event = Event::HandedOver { key };
                self.schedule(Duration::from_millis(millis), node, Action::Deliver(event));
            }
            Effect::Checkpointed { .. } | Effect::Started | Effect::Stopped => {}
            call => {
                self.moves += u32::from(matches!(
                    call,
                    Effect::Take { .. } | Effect::Ask { .. } | Effect::Release { .. }
                ));
                if self.faults && (self.nodes[node].cut_off || self.pick(30) == 0) {
                    return Ok(());
                }
                let delay = self.delay();
                if self.faults && self.pick(20) == 0 {
                    let later = delay + self.delay();
                    self.schedule(later, node, Action::Execute(call.clone()));
                }
                self.schedule(delay, node, Action::Execute(call));
            }
        }
        Ok(())
    }

    async fn execute(&mut self, node: usize, effect: Effect) -> Result<Event, String> {
        let at = moment(0);
        let (store, name) = (self.store.clone(), self.nodes[node].name.clone());
        let (call, key, answer) = match effect {
            Effect::List { call } => {
                let result = LeaseStore::list(&store, "merger/").await;
                return Ok(Event::Listed { call, result });
            }
            Effect::Take { call, seen } => {
                let answer = store.take(&seen, &name, None, at).await.unwrap();
                if let LeaseAnswer::Written(lease) = &answer {
                    self.check_taking(node, &seen, lease)?;
                }
                (call, seen.key, answer)
            }
            Effect::Renew { call, held } => (call, held.key.clone(), store.renew(&held, at).await.unwrap()),
            Effect::Checkpoint {
                call,
                held,
                checkpoint,
            } => {
                let answer = store.checkpoint(&held, &checkpoint, at).await.unwrap();
                (call, held.key, answer)
            }
            Effect::Ask { call, seen, node } => {
                (call, seen.key.clone(), store.ask(&seen, &node, at).await.unwrap())
            }
            Effect::Release { call, held, to } => {
                let answer = store.release(&held, to.as_deref(), at).await.unwrap();
                (call, held.key, answer)
            }
            other => return Err(format!("{other:?} is no call")),
        };
        let result = if self.faults && self.pick(30) == 0 {
            Err(StoreError::Unavailable {
                reason: "told to lose the answer".to_owned(),
            })
        } else {
            Ok(answer)
        };
        Ok(Event::Answered { call, key, result })
    }

    /// Whoever takes an expired lease may rely on its owner not working any more.
    fn check_taking(&mut self, node: usize, seen: &Lease, lease: &Lease) -> Checked {
        let key = (lease.key.clone(), lease.epoch);
        if self.takers.insert(key, node).is_some() {
            return Err(format!("two owners of epoch {}", lease.epoch));
        }
        self.moved.insert(lease.key.clone());
        let name = Some(&*self.nodes[node].name);
        if seen.owner.is_none() || seen.wanted_by.as_deref() == name || seen.owner.as_deref() == name {
            return Ok(());
        }
        let before = self.takers.get(&(seen.key.clone(), seen.epoch)).copied();
        if let Some(owner) = before.filter(|owner| self.nodes[*owner].alive)
            && self.nodes[owner].works.get(&seen.key) == Some(&seen.epoch)
        {
            return Err(format!(
                "{} of {} is worked on past its end",
                seen.key, self.nodes[owner].name
            ));
        }
        Ok(())
    }

    async fn write(&mut self, node: usize, key: String, epoch: u64) -> Checked {
        let mut given = epoch;
        if self.mutant == Some(Mutant::WritesUnfenced) {
            let table = LeaseStore::list(&self.store, &key).await.unwrap();
            given = table
                .iter()
                .find(|lease| lease.key == key)
                .map_or(epoch, |lease| lease.epoch);
        }
        let shard = fenced_shard(&key).unwrap().0;
        self.sequence += 1;
        let alert = stored(self.sequence, &[], None);
        if self.store.accept(fence(shard, given), vec![alert]).await.is_err() {
            let works = &mut self.nodes[node].works;
            if works.get(&key).is_some_and(|held| *held <= epoch) {
                works.remove(&key);
                self.schedule(
                    Duration::ZERO,
                    node,
                    Action::Deliver(Event::Fenced { key, epoch }),
                );
            }
            return Ok(());
        }
        if self.takers.get(&(key.clone(), epoch)) != Some(&node) {
            return Err(format!("{key} is written under an epoch of another"));
        }
        let last = self.committed.entry(key.clone()).or_insert((epoch, node));
        if last.0 > epoch {
            return Err(format!(
                "two owners of {key} have written: {last:?}, then {node} under {epoch}"
            ));
        }
        *last = (epoch, node);
        Ok(())
    }

    fn counts(&self) -> Vec<usize> {
        let living = self.living().into_iter();
        living.map(|node| self.nodes[node].works.len()).collect()
    }

    fn check_settled(&self) -> Checked {
        let living = self.living();
        for at in (0..LEASES).filter(|at| *at != 1) {
            let key = format!("merger/{at}");
            let owners = self
                .nodes
                .iter()
                .filter(|node| node.alive && node.works.contains_key(&key));
            match owners.count() {
                0 => return Err(format!("{key} is not owned after {SETTLED:?}")),
                1 => {}
                count => return Err(format!("{key} is not owned once but {count} times")),
            }
        }
        let counts = self.counts();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        if most - least > 1 {
            return Err(format!(
                "out of balance: {counts:?} of {living:?} after {SETTLED:?}"
            ));
        }
        Ok(())
    }

    /// Nothing moves any more when nothing changes.
    async fn quiet(&mut self) -> Checked {
        self.moves = 0;
        self.pass(TERM * 6).await?;
        if self.moves > 0 {
            return Err(format!("changed hands without need: {} calls", self.moves));
        }
        Ok(())
    }
}
