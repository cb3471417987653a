use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use streamalert_store::DeadLetterStore;
use streamalert_types::{
    Alert, Clock, DeadLetter, DeadLetterId, DeadLetterKind, DeliveryOutcome, OutputName, Tracer, Update,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::machine::{Burial, DeliveryKey, DeliveryMachine, Effect, Event, Waiter};
use crate::outputs::{Output, Receipt, SendError};
use crate::traces::{self, Attempt};
use crate::{DeliveryOptions, LinkTemplates, OutputStats, Publication, Publisher};

/// For one commit of the dead-letter store; after it the commit counts as failed and is repeated, which the
/// letters' deterministic ids allow.
const BURIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// What the handle says to the actor of one output.
pub(crate) enum Message {
    Deliver {
        alert: Arc<Alert>,
        output: OutputName,
        update: Option<Update>,
        caller: Caller,
    },
    /// Lets go of everything, as in a drain, but goes on listening. Told when nothing is under way any more.
    Release(oneshot::Sender<()>),
    /// Takes deliveries again; whoever waits for a release is forgotten.
    Resume,
    /// Attempts from now on go to this output.
    Replace(Arc<dyn Output>, Box<DeliveryOptions>),
    Drain,
}

/// Who waits for an outcome, with the room the delivery takes in the queue. Room is given back when the
/// outcome is final, not when the caller stops listening.
pub(crate) struct Caller {
    pub(crate) reply: oneshot::Sender<Option<DeliveryOutcome>>,
    pub(crate) _room: [OwnedSemaphorePermit; 2],
}

impl Waiter for Caller {
    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// What every actor is given.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) publish_timeout: Duration,
    pub(crate) dead_letters: Arc<dyn DeadLetterStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracer: Tracer,
    pub(crate) links: Arc<LinkTemplates>,
}

/// Figures that the handle reads while the actor works.
#[derive(Debug, Default)]
pub(crate) struct SharedStats(Mutex<OutputStats>);

impl SharedStats {
    pub(crate) fn get(&self) -> OutputStats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, stats: OutputStats) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}

enum Done {
    Sent {
        key: DeliveryKey,
        result: Result<Receipt, SendError>,
        alert: Arc<Alert>,
        fallback: bool,
    },
    Buried {
        result: Result<(), String>,
    },
}

/// Drives the [`DeliveryMachine`] of one output: only waits and carries out effects; every decision is the
/// machine's.
pub(crate) struct OutputActor {
    name: String,
    machine: DeliveryMachine<Caller>,
    output: Arc<dyn Output>,
    options: DeliveryOptions,
    surroundings: Surroundings,
    messages: mpsc::Receiver<Message>,
    work: JoinSet<Done>,
    /// Which delivery a task is about, so that a panic can be put down to it; `None` = a burial.
    tasks: HashMap<Id, Option<DeliveryKey>>,
    /// Who waits until nothing is under way.
    released: Vec<oneshot::Sender<()>>,
    started: Instant,
    publisher_failures: u64,
    /// Whether the output counted as down when that was told last.
    down: bool,
    stats: Arc<SharedStats>,
}

impl OutputActor {
    pub(crate) fn new(
        name: String,
        output: Arc<dyn Output>,
        options: DeliveryOptions,
        surroundings: Surroundings,
        seed: u64,
    ) -> (Self, mpsc::Sender<Message>, Arc<SharedStats>) {
        // the semaphores of the handle bound what is in here; room for a few keeps senders from waking in turns
        let (sender, messages) = mpsc::channel(64);
        let stats = Arc::new(SharedStats::default());
        let actor = Self {
            name,
            machine: DeliveryMachine::new(options.clone(), seed),
            output,
            options,
            surroundings,
            messages,
            work: JoinSet::new(),
            tasks: HashMap::new(),
            released: Vec::new(),
            started: Instant::now(),
            publisher_failures: 0,
            down: false,
            stats: Arc::clone(&stats),
        };
        (actor, sender, stats)
    }

    pub(crate) async fn run(mut self) {
        let mut open = true;
        while open || !self.machine.is_idle() {
            let event = self.next_event(&mut open).await;
            let effects = self.machine.apply(self.started.elapsed(), event);
            for effect in effects {
                self.carry_out(effect);
            }
            if self.machine.is_idle() {
                for released in self.released.drain(..) {
                    // nobody waits for a node that has ended
                    let _ = released.send(());
                }
            }
            self.publish_stats();
        }
    }

    /// Waits for whatever comes first. Ended work before new work: it makes room.
    async fn next_event(&mut self, open: &mut bool) -> Event<Caller> {
        let wake = self.machine.next_wake().map(|at| self.started + at);
        tokio::select! {
            biased;
            Some(done) = self.work.join_next_with_id() => self.ended(done),
            message = self.messages.recv(), if *open => match message {
                Some(Message::Deliver { alert, output, update, caller }) => {
                    Event::Accepted { alert, output, update, waiter: caller }
                }
                Some(Message::Release(released)) => {
                    self.released.push(released);
                    Event::Drain
                }
                Some(Message::Resume) => {
                    self.released.clear();
                    Event::Resume
                }
                Some(Message::Replace(output, options)) => {
                    self.output = output;
                    self.options = (*options).clone();
                    Event::Replaced { options }
                }
                Some(Message::Drain) => {
                    // what was sent before is still in the channel and is released by the draining machine
                    self.messages.close();
                    Event::Drain
                }
                None => {
                    *open = false;
                    Event::Drain
                }
            },
            () = sleep_until(wake.unwrap_or(self.started)), if wake.is_some() => Event::Tick,
        }
    }

    fn ended(&mut self, done: Result<(Id, Done), JoinError>) -> Event<Caller> {
        match done {
            Ok((id, done)) => {
                self.tasks.remove(&id);
                match done {
                    Done::Sent {
                        key,
                        result,
                        alert,
                        fallback,
                    } => {
                        self.publisher_failures += u64::from(fallback);
                        if let Err(error) = &result {
                            self.log_failure(&alert, error);
                        }
                        Event::Sent { key, result }
                    }
                    Done::Buried { result } => Event::Buried { result },
                }
            }
            Err(error) => {
                tracing::error!(output = %self.name, %error, "a delivery task ended badly");
                match self.tasks.remove(&error.id()).flatten() {
                    Some(key) => Event::Sent {
                        key,
                        result: Err(SendError::unsure("the attempt panicked")),
                    },
                    None => Event::Buried {
                        result: Err("the write panicked".to_owned()),
                    },
                }
            }
        }
    }

    fn log_failure(&self, alert: &Alert, error: &SendError) {
        let trace_id = alert.trace_id();
        if error.is_retryable() {
            tracing::warn!(
                output = %self.name, alert = %alert.id, trace_id, error = %error.message,
                may_have_happened = error.may_have_happened, "attempt failed, trying again"
            );
        } else {
            tracing::error!(
                output = %self.name, alert = %alert.id, trace_id, error = %error.message,
                "output refused the alert, keeping it as a dead letter"
            );
        }
    }

    fn carry_out(&mut self, effect: Effect<Caller>) {
        match effect {
            Effect::Send { key, alert, update } => {
                let task = attempt(
                    Arc::clone(&self.output),
                    self.surroundings.clone(),
                    self.options.timeout,
                    key.clone(),
                    (alert, update),
                );
                let id = self.work.spawn(task).id();
                self.tasks.insert(id, Some(key));
            }
            Effect::Bury(burials) => {
                let task = bury(self.name.clone(), self.surroundings.clone(), burials);
                let id = self.work.spawn(task).id();
                self.tasks.insert(id, None);
            }
            Effect::GivenUp {
                key,
                alert,
                attempts,
                last_error,
            } => tracing::error!(
                output = %key.1, alert = %alert.id, rule = %alert.rule_name, trace_id = alert.trace_id(), attempts,
                error = %last_error, "alert given up for its age, keeping it as a dead letter"
            ),
            Effect::Answer { waiters, outcome } => {
                for waiter in waiters {
                    // a caller that stopped listening will ask again
                    let _ = waiter.reply.send(Some(outcome.clone()));
                }
            }
            Effect::Release { waiters } => {
                for waiter in waiters {
                    let _ = waiter.reply.send(None);
                }
            }
        }
    }

    fn publish_stats(&mut self) {
        let stats = OutputStats {
            publisher_failures: self.publisher_failures,
            ..self.machine.stats()
        };
        self.tell_health(&stats);
        self.stats.set(stats);
    }

    /// Once for each change: while an output is down every probe would say it again.
    fn tell_health(&mut self, stats: &OutputStats) {
        if stats.down == self.down {
            return;
        }
        self.down = stats.down;
        let waiting = stats.waiting + stats.retrying;
        if stats.down {
            let error = stats.last_error.as_deref();
            tracing::warn!(output = %self.name, waiting, error, "output is down, alerts wait until it answers again");
        } else {
            tracing::info!(output = %self.name, waiting, "output no longer counts as down");
        }
    }
}

/// One attempt: the publication, then the output, each with its time limit.
async fn attempt(
    output: Arc<dyn Output>,
    surroundings: Surroundings,
    timeout: Duration,
    key: DeliveryKey,
    (alert, update): (Arc<Alert>, Option<Update>),
) -> Done {
    let publisher = &*surroundings.publisher;
    let name = key.1.clone();
    let tracing = Attempt::begin(&surroundings.tracer, &*surroundings.clock, &alert, &name);
    let publication = Publication::compose(alert, name, publisher, surroundings.publish_timeout).await;
    let mut publication = publication.updating(update);
    publication.traceparent = tracing.published(&publication, &*surroundings.clock);
    publication.links = Arc::clone(&surroundings.links);
    let idempotency_key = format!("{}/{}", key.0, key.1);
    let deadline = Instant::now() + timeout;
    let sending = output.send(&publication, &idempotency_key, deadline);
    let result = match tokio::time::timeout_at(deadline, sending).await {
        Ok(result) => result,
        Err(_) => Err(SendError::unsure(format!(
            "no answer within {} s",
            timeout.as_secs_f64()
        ))),
    };
    tracing.ended(&publication, &result, &*surroundings.clock);
    Done::Sent {
        key,
        result,
        fallback: publication.fallback.is_some(),
        alert: publication.alert,
    }
}

/// Stores dead letters in one commit.
async fn bury(name: String, surroundings: Surroundings, burials: Vec<Burial>) -> Done {
    let count = burials.len();
    let created = surroundings.clock.now();
    let spans = traces::burials(&surroundings.tracer, &burials, created);
    let letters = burials
        .into_iter()
        .map(|burial| letter(burial, created))
        .collect();
    let result = match tokio::time::timeout(BURIAL_TIMEOUT, surroundings.dead_letters.put(letters)).await {
        Ok(Ok(())) => {
            spans
                .into_iter()
                .for_each(|span| surroundings.tracer.record(span));
            Ok(())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", BURIAL_TIMEOUT.as_secs())),
    };
    if let Err(error) = &result {
        tracing::error!(output = %name, count, %error, "dead letters not stored, trying again");
    }
    Done::Buried { result }
}

fn letter(burial: Burial, created: streamalert_types::Timestamp) -> DeadLetter {
    let Burial {
        key: (id, output),
        alert,
        attempts,
        reason,
    } = burial;
    DeadLetter {
        id: DeadLetterId::for_delivery(id, output.as_str()),
        created,
        reason,
        // whole, whatever its size: it is what a replay sends
        body: Bytes::from(crate::json::output_dict(&alert).to_json()),
        truncated: false,
        kind: DeadLetterKind::Undelivered {
            alert: id,
            rule: Arc::clone(&alert.rule_name),
            output,
            attempts,
        },
    }
}
