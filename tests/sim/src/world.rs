//! What all nodes of a run share: the store, the faults, and the history.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamalert_service::Shutdown;
use streamalert_store::MemoryStore;
use tokio_util::sync::CancellationToken;

use crate::clock::{NodeClock, elapsed};
use crate::history::History;
use crate::invariants::Invariant;
use crate::mutants::Mutant;
use crate::script::Script;

/// How an output behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers within 50 ms.
    Well,
    /// Takes so long for each alert.
    Slow(Duration),
    /// Refuses connections.
    Down,
    /// Takes the alert, and its answer is lost, so many times of a hundred.
    LosesAnswers(u32),
}

/// What goes wrong between one node and its store.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoreFaults {
    /// Every write is refused: the store asks for fewer calls.
    pub(crate) throttled: bool,
    /// So many calls of a thousand fail and do nothing.
    pub(crate) fail_permille: u32,
    /// So many writes of a thousand take place, and the answer is lost.
    pub(crate) lost_permille: u32,
    /// Calls about leases get no answer.
    pub(crate) leases_hang: bool,
    /// Writes of alerts take so long before they take place.
    pub(crate) writes_delayed: Duration,
    /// The node is killed when it has come to this point of its calls about alerts.
    pub(crate) crash_at: Option<u64>,
    /// The node is killed when it comes here.
    pub(crate) crash_site: Option<Site>,
}

/// A place in a node's calls to its store: the call, and whether it has taken place.
pub(crate) type Site = (&'static str, Moment);

/// Around a call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// Not yet made.
    Before,
    /// Made, and not yet answered.
    After,
}

/// One node, across its restarts.
#[derive(Debug, Default)]
pub(crate) struct NodeState {
    pub(crate) faults: StoreFaults,
    pub(crate) clock: NodeClock,
    /// How often it was started.
    pub(crate) starts: u64,
    /// Its process is to end in good order.
    pub(crate) stop: CancellationToken,
    pub(crate) shutdown: Shutdown,
    /// Points that its calls about alerts have come to: before each call, and after.
    pub(crate) points: u64,
    /// It has come to the point where it dies: it does nothing any more.
    pub(crate) dying: bool,
    /// Where it died so far.
    pub(crate) died_at: Vec<Site>,
}

/// See the module. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    inner: Arc<Mutex<Inner>>,
    pub(crate) memory: MemoryStore,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) seed: u64,
    pub(crate) scripts: Arc<Vec<Script>>,
}

pub(crate) struct Inner {
    pub(crate) history: History,
    pub(crate) nodes: BTreeMap<String, NodeState>,
    pub(crate) outputs: BTreeMap<String, Behaviour>,
    /// How much longer than its window a group may live.
    pub(crate) window_bound: Duration,
    rng: StdRng,
}

impl World {
    pub(crate) fn new(seed: u64, memory: MemoryStore, scripts: Vec<Script>, mutant: Option<Mutant>) -> Self {
        let inner = Inner {
            history: History::default(),
            nodes: BTreeMap::new(),
            outputs: BTreeMap::new(),
            window_bound: Duration::from_secs(5),
            rng: StdRng::seed_from_u64(seed ^ 0x05ee_d0f5_7a7e),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            memory,
            mutant,
            seed,
            scripts: Arc::new(scripts),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes one node.
    pub(crate) fn node<T>(&self, name: &str, with: impl FnOnce(&mut NodeState) -> T) -> T {
        with(self.inner().nodes.entry(name.to_owned()).or_default())
    }

    /// Adds to the trace, on a node.
    pub(crate) fn note(&self, what: &str) {
        self.inner().history.note(elapsed(), what);
    }

    /// An invariant does not hold, seen on a node.
    pub(crate) fn violated(&self, invariant: Invariant, seen: String) {
        self.inner().history.violated(elapsed(), invariant, seen);
    }

    /// A number below `below`.
    pub(crate) fn roll(&self, below: u64) -> u64 {
        self.inner().rng.random_range(0..below.max(1))
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn clock(&self, node: &str) -> NodeClock {
        self.node(node, |node| node.clock.clone())
    }
}
