//! Outputs that take their time, by turns work, hang and fail, and note what they got.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_dispatcher::{Output, OutputRegistry, Publication, Receipt, SendError};
use tokio::time::{Instant, sleep};

use crate::pipeline::delivery_options;

/// Outputs that always work.
pub(crate) const HEALTHY: [&str; 3] = ["well:a", "well:b", "well:c"];

/// The one that hangs and the one that answers 500.
pub(crate) const SICK: [&str; 2] = ["sick:hangs", "sick:fails"];

/// When a request came, and whether it was answered with success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) answered: bool,
}

/// What came, by idempotency key.
pub(crate) type Arrivals = BTreeMap<String, Vec<Arrival>>;

/// All outputs.
#[derive(Debug, Default)]
pub(crate) struct World {
    arrivals: Mutex<Arrivals>,
    /// Alerts that each output has.
    counts: Mutex<BTreeMap<&'static str, usize>>,
    sick: Mutex<bool>,
    seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            ..Self::default()
        })
    }

    pub(crate) fn registry(self: &Arc<Self>) -> OutputRegistry {
        let mut registry = OutputRegistry::default();
        for name in HEALTHY.iter().chain(&SICK) {
            let output = Arc::new(Noted {
                name,
                world: Arc::clone(self),
            });
            registry.insert(name.parse().unwrap(), output, delivery_options());
        }
        registry
    }

    pub(crate) fn set_sick(&self, sick: bool) {
        *self.sick.lock().unwrap() = sick;
    }

    pub(crate) fn arrivals(&self) -> Arrivals {
        self.arrivals.lock().unwrap().clone()
    }

    /// Alerts that output `name` has.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.counts.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    fn note(&self, key: &str, answered: bool) {
        let at = Instant::now();
        let mut arrivals = self.arrivals.lock().unwrap();
        arrivals
            .entry(key.to_owned())
            .or_default()
            .push(Arrival { at, answered });
    }

    /// Chance, the same for a key whatever else happens.
    fn roll(&self, key: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, key).hash(&mut hasher);
        hasher.finish()
    }
}

struct Noted {
    name: &'static str,
    world: Arc<World>,
}

#[async_trait]
impl Output for Noted {
    async fn send(&self, _: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let roll = self.world.roll(key);
        let is_sick = SICK.contains(&self.name) && *self.world.sick.lock().unwrap();
        // it does its work all the same, and only the answer is missing
        let happens = roll.is_multiple_of(3);
        if is_sick && self.name == "sick:hangs" {
            if happens {
                self.world.note(key, false);
            }
            return std::future::pending().await;
        }
        sleep(Duration::from_millis(20 + roll % 180)).await;
        if is_sick {
            if happens {
                self.world.note(key, false);
            }
            return Err(SendError::unsure("http 500"));
        }
        self.world.note(key, true);
        *self.world.counts.lock().unwrap().entry(self.name).or_default() += 1;
        Ok(Receipt::default())
    }
}
