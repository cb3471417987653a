//! The async shell of a [`Coordinator`]: carries its calls to the store and its news to the owner of the work.

mod churn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use streamalert_types::Clock;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::coordinator::{Coordinator, CoordinatorOptions, Effect, Event, Loss};
use crate::{Lease, LeaseAnswer, LeaseStore, StoreError};

pub use churn::LeaseChurn;
use churn::{Change, Tally};

/// Calls open at the same time: enough that a store with group commit writes all in a few commits.
const CALLS_MAX: usize = 64;

/// How a [`Keeper`] works.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// Who keeps them, and how.
    pub coordinator: CoordinatorOptions,
    /// The leases: all whose key begins with this.
    pub prefix: String,
    /// Where this node is reached, as `host:port`, for those who look an owner up.
    pub address: Option<String>,
    /// After so long without an answer a call counts as failed.
    pub call_timeout: Duration,
}

/// What the owner of the work is told. For one lease, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// See [`Effect::Own`].
    Own(Lease),
    /// See [`Effect::HandOver`]; to be answered with [`KeeperHandle::handed_over`].
    HandOver {
        /// The lease.
        key: String,
        /// Who goes on with it, if anyone.
        to: Option<String>,
    },
    /// See [`Effect::Lost`].
    Lost {
        /// The lease.
        key: String,
        /// Why.
        loss: Loss,
    },
    /// See [`Effect::Checkpointed`].
    Checkpointed {
        /// The lease.
        key: String,
        /// How far.
        checkpoint: String,
    },
    /// See [`Effect::Started`].
    Started,
}

/// Makes sure that there are the leases `<prefix>0` to `<prefix>count - 1`; those that are there stay as they are.
///
/// # Errors
/// See [`StoreError`]. Repeating it is harmless.
pub async fn create_leases(store: &dyn LeaseStore, prefix: &str, count: u16) -> Result<(), StoreError> {
    let known = store.list(prefix).await?;
    let known: BTreeSet<String> = known.into_iter().map(|lease| lease.key).collect();
    let all = (0..count).map(|number| format!("{prefix}{number}"));
    let missing: Vec<Lease> = all.filter(|key| !known.contains(key)).map(Lease::free).collect();
    if !missing.is_empty() {
        store.create(missing).await?;
    }
    Ok(())
}

enum Command {
    Event(Event),
    Stop(oneshot::Sender<()>),
}

/// The way to a running [`Keeper`].
#[derive(Debug, Clone)]
pub struct KeeperHandle {
    /// Unbounded because each message answers a piece of news or replaces the one before it.
    commands: mpsc::UnboundedSender<Command>,
    leases: watch::Receiver<Arc<BTreeMap<String, Lease>>>,
    tally: Tally,
}

impl KeeperHandle {
    /// The work on a lease has ended, after [`News::HandOver`].
    pub fn handed_over(&self, key: String) {
        self.tell(Command::Event(Event::HandedOver { key }));
    }

    /// Notes how far the work is; answered with [`News::Checkpointed`]. A later one replaces it.
    pub fn checkpoint(&self, key: String, checkpoint: String) {
        self.tell(Command::Event(Event::Checkpoint { key, checkpoint }));
    }

    /// The store refused a write under `epoch`.
    pub fn fenced(&self, key: String, epoch: u64) {
        self.tell(Command::Event(Event::Fenced { key, epoch }));
    }

    /// Hands everything over. Returns when nothing is held any more; when the keeper has ended, at once.
    pub async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        self.tell(Command::Stop(done));
        // An error says that the keeper has ended.
        let _ = wait.await;
    }

    /// The leases of the prefix as this node saw them last, by key.
    #[must_use]
    pub fn leases(&self) -> Arc<BTreeMap<String, Lease>> {
        Arc::clone(&self.leases.borrow())
    }

    /// How often leases of the prefix came to this node and went.
    #[must_use]
    pub fn churn(&self) -> LeaseChurn {
        self.tally.churn()
    }

    fn tell(&self, command: Command) {
        // A keeper that has ended needs to know nothing.
        let _ = self.commands.send(command);
    }
}

/// Keeps the leases of one prefix for this node, until stopped or dropped.
pub struct Keeper {
    coordinator: Coordinator,
    options: KeeperOptions,
    store: Arc<dyn LeaseStore>,
    clock: Arc<dyn Clock>,
    origin: Instant,
    commands: mpsc::UnboundedReceiver<Command>,
    leases: watch::Sender<Arc<BTreeMap<String, Lease>>>,
    /// Unbounded because news are few (a handful for each lease and change of owner) and must not wait.
    news: mpsc::UnboundedSender<News>,
    calls: JoinSet<(Event, Option<Change>)>,
    /// Leases that the owner of the work was told to work under.
    working: BTreeSet<String>,
    tally: Tally,
    open: Arc<Semaphore>,
    stopping: Vec<oneshot::Sender<()>>,
    stopped: bool,
    failing: bool,
    /// It was told that another process has this node's name.
    namesake: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// A keeper; nothing happens before [`run`](Self::run).
    #[must_use]
    pub fn new(
        options: KeeperOptions,
        store: Arc<dyn LeaseStore>,
        clock: Arc<dyn Clock>,
    ) -> (Self, KeeperHandle, mpsc::UnboundedReceiver<News>) {
        let (news, reader) = mpsc::unbounded_channel();
        let (sender, commands) = mpsc::unbounded_channel();
        let (leases, seen) = watch::channel(Arc::default());
        let tally = Tally::default();
        let keeper = Self {
            coordinator: Coordinator::new(options.coordinator.clone()),
            options,
            store,
            clock,
            origin: Instant::now(),
            commands,
            leases,
            news,
            calls: JoinSet::new(),
            working: BTreeSet::new(),
            tally: tally.clone(),
            open: Arc::new(Semaphore::new(CALLS_MAX)),
            stopping: Vec::new(),
            stopped: false,
            failing: false,
            namesake: false,
        };
        let handle = KeeperHandle {
            commands: sender,
            leases: seen,
            tally,
        };
        (keeper, handle, reader)
    }

    /// Keeps the leases until [`KeeperHandle::stop`], or until every handle is dropped.
    pub async fn run(mut self) {
        self.apply(Event::Tick);
        while !self.stopped {
            let tick = self.origin + self.coordinator.next_tick();
            tokio::select! {
                biased;
                Some(ended) = self.calls.join_next() => match ended {
                    Ok((event, change)) => {
                        if let Some(change) = change {
                            self.changed(change, &event);
                        }
                        self.answered(event);
                    }
                    // A store that panics: the coordinator counts the call as lost after a term.
                    Err(problem) => warn!(%problem, "a call about a lease died"),
                },
                command = self.commands.recv() => match command {
                    Some(Command::Event(event)) => self.apply(event),
                    Some(Command::Stop(done)) => {
                        self.stopping.push(done);
                        self.apply(Event::Stop);
                    }
                    None => return,
                },
                () = tokio::time::sleep_until(tick) => self.apply(Event::Tick),
            }
        }
        info!(leases = %self.options.prefix, "leases handed over");
        for done in self.stopping.drain(..) {
            let _ = done.send(());
        }
    }

    fn changed(&mut self, change: Change, event: &Event) {
        self.tally.changed(change);
        if let (Change::Released, Event::Answered { key, .. }) = (change, event) {
            self.working.remove(key);
        }
    }

    fn answered(&mut self, event: Event) {
        let problem = match &event {
            Event::Listed { result, .. } => result.as_ref().err(),
            Event::Answered { result, .. } => result.as_ref().err(),
            _ => None,
        };
        match problem {
            Some(problem) if !self.failing => {
                warn!(%problem, leases = %self.options.prefix, "leases cannot be read or written");
            }
            None if self.failing => info!(leases = %self.options.prefix, "leases work again"),
            _ => {}
        }
        self.failing = problem.is_some();
        if !self.namesake
            && let Event::Answered {
                result: Ok(answer), ..
            } = &event
            && let Some(other) = namesake(&self.options, answer)
        {
            self.namesake = true;
            warn!(
                node = %self.options.coordinator.node,
                other,
                leases = %self.options.prefix,
                "another process has this node's name and takes its leases: give each its own node.id"
            );
        }
        let listed = matches!(event, Event::Listed { .. });
        self.apply(event);
        if listed {
            let leases = self.coordinator.leases();
            let leases = leases.map(|lease| (lease.key.clone(), lease.clone())).collect();
            self.leases.send_replace(Arc::new(leases));
        }
    }

    fn apply(&mut self, event: Event) {
        for effect in self.coordinator.apply(self.origin.elapsed(), event) {
            let news = match effect {
                Effect::Own(lease) => {
                    self.working.insert(lease.key.clone());
                    News::Own(lease)
                }
                Effect::HandOver { key, to } => News::HandOver { key, to },
                Effect::Lost { key, loss } => {
                    self.tally.lost(loss);
                    self.working.remove(&key);
                    News::Lost { key, loss }
                }
                Effect::Checkpointed { key, checkpoint } => News::Checkpointed { key, checkpoint },
                Effect::Started => News::Started,
                Effect::Stopped => {
                    self.stopped = true;
                    continue;
                }
                call => {
                    self.call(call);
                    continue;
                }
            };
            // An owner that has ended needs no news.
            let _ = self.news.send(news);
        }
        let held = self.working.len() as u64;
        self.tally.count(|churn| churn.held = held);
    }

    fn call(&mut self, effect: Effect) {
        let (store, open) = (Arc::clone(&self.store), Arc::clone(&self.open));
        let (options, at) = (self.options.clone(), self.clock.now());
        self.calls.spawn(async move {
            let _permit = open.acquire().await;
            let timeout = options.call_timeout;
            let late = || StoreError::Unavailable {
                reason: format!("no answer within {timeout:?}"),
            };
            if let Effect::List { call } = effect {
                let result = tokio::time::timeout(timeout, store.list(&options.prefix)).await;
                let result = result.unwrap_or_else(|_| Err(late()));
                return (Event::Listed { call, result }, None);
            }
            let event = write(&*store, &effect, &options, at, late).await;
            let change = Change::of(&effect, &event, &options.coordinator.node);
            (event, change)
        });
    }
}

/// Where another process works under this node's name: it holds a lease that we wanted to write, at another address.
fn namesake<'l>(options: &KeeperOptions, answer: &'l LeaseAnswer) -> Option<&'l str> {
    let LeaseAnswer::Refused(Some(lease)) = answer else {
        return None;
    };
    let ours = lease.owner.as_deref() == Some(&*options.coordinator.node);
    let address = lease.address.as_deref().filter(|_| ours)?;
    (options.address.as_deref() != Some(address)).then_some(address)
}

async fn write(
    store: &dyn LeaseStore,
    effect: &Effect,
    options: &KeeperOptions,
    at: streamalert_types::Timestamp,
    late: impl Fn() -> StoreError,
) -> Event {
    let node = &*options.coordinator.node;
    let (call, key, written) = match effect {
        Effect::Take { call, seen } => {
            let taken = store.take(seen, node, options.address.as_deref(), at);
            (*call, seen.key.clone(), taken)
        }
        Effect::Renew { call, held } => (*call, held.key.clone(), store.renew(held, at)),
        Effect::Checkpoint {
            call,
            held,
            checkpoint,
        } => (*call, held.key.clone(), store.checkpoint(held, checkpoint, at)),
        Effect::Ask { call, seen, node } => (*call, seen.key.clone(), store.ask(seen, node, at)),
        Effect::Release { call, held, to } => {
            (*call, held.key.clone(), store.release(held, to.as_deref(), at))
        }
        _ => return Event::Tick,
    };
    let result = tokio::time::timeout(options.call_timeout, written).await;
    let result = result.unwrap_or_else(|_| Err(late()));
    Event::Answered { call, key, result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_the_same_name_is_known_by_its_address() {
        let options = |address: Option<&str>| KeeperOptions {
            coordinator: CoordinatorOptions::new("a"),
            prefix: "merger/".to_owned(),
            address: address.map(str::to_owned),
            call_timeout: Duration::from_secs(5),
        };
        let refused = |owner: &str, address: Option<&str>| {
            LeaseAnswer::Refused(Some(Lease {
                owner: Some(owner.to_owned()),
                address: address.map(str::to_owned),
                ..Lease::free("merger/1")
            }))
        };
        let here = options(Some("here:1"));
        assert_eq!(namesake(&here, &refused("a", Some("there:1"))), Some("there:1"));
        // A call of ours whose answer was lost, another node, and processes without an address.
        assert_eq!(namesake(&here, &refused("a", Some("here:1"))), None);
        assert_eq!(namesake(&here, &refused("b", Some("there:1"))), None);
        assert_eq!(namesake(&options(None), &refused("a", None)), None);
    }
}
