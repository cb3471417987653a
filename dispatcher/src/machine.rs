use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use streamalert_types::{Alert, DeliveryOutcome, Merging, OutputName, Update};

use crate::outputs::{Receipt, SendError, SendErrorKind};
use crate::{Backoff, DeliveryOptions, OutputStats, RateLimiter};

mod circuit;
mod event;
mod order;
mod remembered;

use circuit::Circuit;
pub use event::{Burial, DeliveryKey, Effect, Event, Waiter};
use order::{Order, Turn};
use remembered::Remembered;

/// Dead letters written in one commit; enough to make its fsync cheap, few enough to hold in memory.
const BURIAL_BATCH_MAX: usize = 64;

/// Between tries to store dead letters while the store has no room.
const BURIAL_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    max: Duration::from_secs(30),
};

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Waits for the end of an earlier delivery of its incident.
    Queued,
    /// In the ready queue.
    Ready,
    /// An attempt is under way.
    Sending,
    /// Waits for its next attempt.
    Waiting { until: Duration },
    /// Waits in the burial queue, or is being stored.
    Burying { reason: String },
}

#[derive(Debug)]
struct Job<W> {
    alert: Arc<Alert>,
    update: Option<Update>,
    turn: Option<Turn>,
    give_up_at: Duration,
    attempts: u32,
    failures: u32,
    state: State,
    waiters: Vec<W>,
    last_error: Option<String>,
}

/// The deliveries to one output, from acceptance to outcome. Pure: time is an argument (since any fixed start,
/// never backwards), randomness comes from the seed, and what is to be done comes back as effects.
///
/// Invariant: every accepted waiter gets exactly one `Answer` or `Release`.
/// Invariant: never more than `concurrency` attempts under way, never two of one delivery.
/// Invariant: deliveries of one incident go one after another, in order; each begins when the one before has its outcome.
/// Invariant: `DeadLettered` is answered only after `Buried { result: Ok }` for a batch with that delivery.
#[derive(Debug)]
pub struct DeliveryMachine<W> {
    options: DeliveryOptions,
    rng: StdRng,
    limiter: Option<RateLimiter>,
    jobs: BTreeMap<DeliveryKey, Job<W>>,
    order: Order,
    /// May hold keys whose job has moved on; they are skipped when met.
    ready: VecDeque<DeliveryKey>,
    retries: BTreeSet<(Duration, DeliveryKey)>,
    deadlines: BTreeSet<(Duration, DeliveryKey)>,
    in_flight: usize,
    paused_until: Duration,
    circuit: Circuit,
    burial_queue: VecDeque<DeliveryKey>,
    burying: Vec<DeliveryKey>,
    burial_failures: u32,
    bury_again_at: Duration,
    draining: bool,
    remembered: Remembered,
    totals: OutputStats,
}

impl<W: Waiter> DeliveryMachine<W> {
    /// An idle machine.
    #[must_use]
    pub fn new(options: DeliveryOptions, seed: u64) -> Self {
        Self {
            limiter: options.rate.map(RateLimiter::new),
            circuit: Circuit::new(options.circuit_failures),
            options,
            rng: StdRng::seed_from_u64(seed),
            jobs: BTreeMap::new(),
            order: Order::default(),
            ready: VecDeque::new(),
            retries: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            in_flight: 0,
            paused_until: Duration::ZERO,
            burial_queue: VecDeque::new(),
            burying: Vec::new(),
            burial_failures: 0,
            bury_again_at: Duration::ZERO,
            draining: false,
            remembered: Remembered::default(),
            totals: OutputStats::default(),
        }
    }

    /// Takes note of `event` at `now` and says what is to be done.
    pub fn apply(&mut self, now: Duration, event: Event<W>) -> Vec<Effect<W>> {
        let mut effects = Vec::new();
        match event {
            Event::Accepted {
                alert,
                output,
                update,
                waiter,
            } => {
                self.accept(now, (alert, output, update), waiter, &mut effects);
            }
            Event::Sent { key, result } => self.sent(now, key, result, &mut effects),
            Event::Buried { result } => self.buried(now, result, &mut effects),
            Event::Tick => {}
            Event::Drain => self.drain(&mut effects),
            Event::Resume => self.draining = false,
            Event::Replaced { options } => self.replaced(now, *options),
        }
        self.pump(now, &mut effects);
        effects
    }

    /// When [`Event::Tick`] is due if nothing happens before; `None` = something else must happen first.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let mut wake = self.retries.first().map(|(at, _)| *at);
        let mut sooner = |at: Duration| wake = Some(wake.map_or(at, |wake| wake.min(at)));
        if let Some((at, _)) = self.deadlines.first() {
            sooner(*at);
        }
        if !self.ready.is_empty()
            && self.in_flight < self.options.concurrency
            && let Some(at) = self.send_allowed_at()
        {
            sooner(at);
        }
        if !self.burial_queue.is_empty() && self.burying.is_empty() {
            sooner(self.bury_again_at);
        }
        if self.draining { None } else { wake }
    }

    /// True when nothing is under way and nothing is held.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Counters and gauges. O(1).
    #[must_use]
    pub fn stats(&self) -> OutputStats {
        let mut stats = self.totals.clone();
        let burying = self.burial_queue.len() + self.burying.len();
        let elsewhere = self.in_flight + self.retries.len() + burying;
        stats.in_flight = self.in_flight as u64;
        stats.retrying = self.retries.len() as u64;
        stats.burying = burying as u64;
        stats.waiting = self.jobs.len().saturating_sub(elsewhere) as u64;
        stats.down = self.circuit.is_open();
        stats
    }

    fn accept(
        &mut self,
        now: Duration,
        (alert, output, update): (Arc<Alert>, OutputName, Option<Update>),
        waiter: W,
        effects: &mut Vec<Effect<W>>,
    ) {
        if self.draining {
            effects.push(Effect::Release {
                waiters: vec![waiter],
            });
            return;
        }
        let key = (alert.id, output);
        if let Some(job) = self.jobs.get_mut(&key) {
            job.waiters.retain(|waiter| !waiter.is_gone());
            job.waiters.push(waiter);
            self.totals.joined += 1;
            return;
        }
        if let Some(outcome) = self.remembered.get(now, &key) {
            self.totals.joined += 1;
            effects.push(Effect::Answer {
                waiters: vec![waiter],
                outcome: outcome.clone(),
            });
            return;
        }
        let give_up_at = now.saturating_add(self.options.dead_letter_after);
        self.deadlines.insert((give_up_at, key.clone()));
        let turn = self.order.join(&alert, &key.1);
        let state = match turn {
            Some(turn) if !self.order.is_first(&alert, &key.1, turn) => State::Queued,
            _ => {
                self.ready.push_back(key.clone());
                State::Ready
            }
        };
        let job = Job {
            alert,
            update,
            turn,
            give_up_at,
            attempts: 0,
            failures: 0,
            state,
            waiters: vec![waiter],
            last_error: None,
        };
        self.jobs.insert(key, job);
    }

    fn sent(
        &mut self,
        now: Duration,
        key: DeliveryKey,
        result: Result<Receipt, SendError>,
        effects: &mut Vec<Effect<W>>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let answered = !matches!(&result, Err(error) if error.is_retryable());
        self.note_health(now, &key, answered);
        let error = match result {
            Ok(receipt) => {
                self.totals.delivered += 1;
                if let Some(job) = self.settle(&key) {
                    let outcome = DeliveryOutcome::Delivered {
                        attempts: job.attempts,
                        reference: reference(&job.alert, receipt),
                    };
                    self.remembered.put(now, key, outcome.clone());
                    effects.push(Effect::Answer {
                        waiters: job.waiters,
                        outcome,
                    });
                }
                return;
            }
            Err(error) => error,
        };
        self.totals.last_error = Some(error.message.clone());
        let Some(job) = self.jobs.get_mut(&key) else {
            return;
        };
        job.failures += 1;
        job.last_error = Some(error.message.clone());
        let after = match error.kind {
            SendErrorKind::Permanent => return self.bury(key, error.message),
            SendErrorKind::Retry { after } => after,
        };
        if self.draining {
            if let Some(job) = self.settle(&key) {
                effects.push(Effect::Release { waiters: job.waiters });
            }
            return;
        }
        let mut until = now + self.options.backoff.delay(job.failures, &mut self.rng);
        if let Some(after) = after {
            // the server spoke of itself, not of this alert: the whole output keeps quiet
            let quiet_until = now + after.min(self.options.retry_after_max);
            self.paused_until = self.paused_until.max(quiet_until);
            until = until.max(quiet_until);
        }
        job.state = State::Waiting { until };
        self.retries.insert((until, key));
    }

    /// `answered` = the output did its work, even if it refused this alert.
    fn note_health(&mut self, now: Duration, key: &DeliveryKey, answered: bool) {
        if !answered {
            let (backoff, rng) = (self.options.backoff, &mut self.rng);
            self.circuit
                .failed(key, |probes| now + backoff.delay(probes, rng));
        } else if self.circuit.answered() {
            // it is back: nobody needs to sit out a wait that was chosen while it was down
            for (_, key) in std::mem::take(&mut self.retries) {
                self.make_ready(key);
            }
        }
    }

    fn buried(&mut self, now: Duration, result: Result<(), String>, effects: &mut Vec<Effect<W>>) {
        let keys = std::mem::take(&mut self.burying);
        if let Err(error) = result {
            self.burial_failures = self.burial_failures.saturating_add(1);
            self.bury_again_at = now + BURIAL_BACKOFF.delay(self.burial_failures, &mut self.rng);
            self.totals.last_error = Some(format!("dead letter not stored: {error}"));
            for key in keys.into_iter().rev() {
                self.burial_queue.push_front(key);
            }
            return;
        }
        self.burial_failures = 0;
        self.bury_again_at = now;
        for key in keys {
            let Some(job) = self.settle(&key) else { continue };
            self.totals.dead += 1;
            let State::Burying { reason } = job.state else {
                continue;
            };
            let outcome = DeliveryOutcome::DeadLettered {
                attempts: job.attempts,
                reason,
            };
            // one that was heard is not remembered: who asks again then wants a replay
            if job.waiters.iter().all(Waiter::is_gone) {
                self.remembered.put(now, key, outcome.clone());
            }
            effects.push(Effect::Answer {
                waiters: job.waiters,
                outcome,
            });
        }
    }

    fn drain(&mut self, effects: &mut Vec<Effect<W>>) {
        self.draining = true;
        let idle: Vec<DeliveryKey> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job.state, State::Queued | State::Ready | State::Waiting { .. }))
            .map(|(key, _)| key.clone())
            .collect();
        for key in idle {
            if let Some(job) = self.settle(&key) {
                effects.push(Effect::Release { waiters: job.waiters });
            }
        }
    }

    /// Nobody needs to sit out a wait that the old configuration caused. Attempts under way go on.
    fn replaced(&mut self, now: Duration, options: DeliveryOptions) {
        if self.options.rate != options.rate {
            self.limiter = options.rate.map(RateLimiter::new);
        }
        self.circuit = Circuit::new(options.circuit_failures);
        self.options = options;
        self.paused_until = now;
        for (_, key) in std::mem::take(&mut self.retries) {
            self.make_ready(key);
        }
    }

    fn release_burials(&mut self, effects: &mut Vec<Effect<W>>) {
        for key in std::mem::take(&mut self.burial_queue) {
            if let Some(job) = self.settle(&key) {
                effects.push(Effect::Release { waiters: job.waiters });
            }
        }
    }

    /// Forgets a job and everything that points to it, but for the lazily cleaned ready queue.
    fn settle(&mut self, key: &DeliveryKey) -> Option<Job<W>> {
        let job = self.jobs.remove(key)?;
        self.deadlines.remove(&(job.give_up_at, key.clone()));
        if let State::Waiting { until } = job.state {
            self.retries.remove(&(until, key.clone()));
        }
        if let Some(turn) = job.turn
            && let Some(next) = self.order.leave(&job.alert, &key.1, turn)
            && self.jobs.get(&next).is_some_and(|job| job.state == State::Queued)
        {
            self.make_ready(next);
        }
        Some(job)
    }

    fn make_ready(&mut self, key: DeliveryKey) {
        if let Some(job) = self.jobs.get_mut(&key) {
            job.state = State::Ready;
            self.ready.push_back(key);
        }
    }

    /// Moves a job that is in no timer and not being sent to the burial queue.
    fn bury(&mut self, key: DeliveryKey, reason: String) {
        if let Some(job) = self.jobs.get_mut(&key) {
            self.deadlines.remove(&(job.give_up_at, key.clone()));
            job.state = State::Burying { reason };
            self.burial_queue.push_back(key);
        }
    }

    /// Does whatever has become possible.
    fn pump(&mut self, now: Duration, effects: &mut Vec<Effect<W>>) {
        while let Some((at, _)) = self.retries.first()
            && *at <= now
        {
            let (_, key) = self.retries.pop_first().expect("the first was just looked at");
            self.make_ready(key);
        }
        self.give_up(now, effects);
        while !self.draining && self.in_flight < self.options.concurrency {
            let Some(key) = self.next_ready() else { break };
            if !self.may_send(now) {
                self.ready.push_front(key);
                break;
            }
            self.begin_attempt(key, effects);
        }
        if self.burying.is_empty() && !self.burial_queue.is_empty() && now >= self.bury_again_at {
            self.begin_burial(effects);
        }
        if self.draining && self.burying.is_empty() {
            // the store is out of room; whoever asks again after the restart starts where we stopped
            self.release_burials(effects);
        }
    }

    /// Buries what is too old. What was never tried is not given up for its age alone.
    fn give_up(&mut self, now: Duration, effects: &mut Vec<Effect<W>>) {
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
        {
            let (_, key) = self.deadlines.pop_first().expect("the first was just looked at");
            let down = self.circuit.is_open();
            let Some(job) = self.jobs.get_mut(&key) else {
                continue;
            };
            let error = job.last_error.as_ref().or(if down {
                self.totals.last_error.as_ref()
            } else {
                None
            });
            let tried = match job.state {
                State::Sending | State::Burying { .. } => None,
                State::Queued | State::Ready | State::Waiting { .. } => error.cloned(),
            };
            let Some(last_error) = tried else {
                // looked at again after the attempt that is under way or about to come
                job.give_up_at = now + self.options.timeout.max(Duration::from_secs(1));
                self.deadlines.insert((job.give_up_at, key));
                continue;
            };
            let reason = format!(
                "not delivered within {} s, last error: {last_error}",
                self.options.dead_letter_after.as_secs(),
            );
            effects.push(Effect::GivenUp {
                key: key.clone(),
                alert: Arc::clone(&job.alert),
                attempts: job.attempts,
                last_error,
            });
            if let State::Waiting { until } = job.state {
                self.retries.remove(&(until, key.clone()));
            }
            self.bury(key, reason);
        }
    }

    fn next_ready(&mut self) -> Option<DeliveryKey> {
        while let Some(key) = self.ready.pop_front() {
            if self.jobs.get(&key).is_some_and(|job| job.state == State::Ready) {
                return Some(key);
            }
        }
        None
    }

    /// The earliest moment an attempt may begin; `None` while a probe is under way.
    fn send_allowed_at(&self) -> Option<Duration> {
        let at = self.circuit.allowed_at()?.max(self.paused_until);
        Some(
            self.limiter
                .as_ref()
                .map_or(at, |limiter| at.max(limiter.free_at())),
        )
    }

    /// Whether an attempt may begin at `now`; takes its token if so.
    fn may_send(&mut self, now: Duration) -> bool {
        self.send_allowed_at().is_some_and(|at| at <= now)
            && self.limiter.as_mut().is_none_or(|limiter| limiter.take(now))
    }

    fn begin_attempt(&mut self, key: DeliveryKey, effects: &mut Vec<Effect<W>>) {
        self.circuit.attempt_begins(&key);
        let Some(job) = self.jobs.get_mut(&key) else {
            return;
        };
        job.state = State::Sending;
        job.attempts = job.attempts.saturating_add(1);
        self.totals.attempts += 1;
        self.in_flight += 1;
        effects.push(Effect::Send {
            alert: Arc::clone(&job.alert),
            update: job.update.clone(),
            key,
        });
    }

    fn begin_burial(&mut self, effects: &mut Vec<Effect<W>>) {
        let batch = self.burial_queue.len().min(BURIAL_BATCH_MAX);
        let mut burials = Vec::with_capacity(batch);
        for key in self.burial_queue.drain(..batch) {
            let Some(job) = self.jobs.get(&key) else { continue };
            let State::Burying { reason } = &job.state else {
                continue;
            };
            burials.push(Burial {
                key: key.clone(),
                alert: Arc::clone(&job.alert),
                attempts: job.attempts,
                reason: reason.clone(),
            });
            self.burying.push(key);
        }
        if !burials.is_empty() {
            effects.push(Effect::Bury(burials));
        }
    }
}

/// References of outputs are a few dozen bytes; who answers more than this has not understood the question.
const REFERENCE_BYTES_MAX: usize = 1024;

/// What is kept of an output's answer: nothing where no update will ever ask for it.
fn reference(alert: &Alert, receipt: Receipt) -> Option<Arc<str>> {
    let asked_for = alert.merging == Merging::FirstAtOnce;
    let reference = receipt.reference.filter(|_| asked_for)?;
    (reference.len() <= REFERENCE_BYTES_MAX).then(|| reference.into())
}

#[cfg(test)]
mod ordering;
#[cfg(test)]
mod tests;
