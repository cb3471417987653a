use std::sync::Arc;

use streamalert_types::{Alert, AlertId, DeliveryOutcome, OutputName, Update};

use crate::DeliveryOptions;
use crate::outputs::{Receipt, SendError};

/// What makes two requests the same delivery.
pub type DeliveryKey = (AlertId, OutputName);

/// One who waits for the outcome of a delivery.
pub trait Waiter {
    /// True when nobody listens any more; such waiters are let go when another joins.
    fn is_gone(&self) -> bool;
}

/// What happens to a [`DeliveryMachine`].
#[derive(Debug)]
pub enum Event<W> {
    /// A delivery is asked for.
    Accepted {
        /// The alert.
        alert: Arc<Alert>,
        /// Where to.
        output: OutputName,
        /// Set when the incident was opened there before.
        update: Option<Update>,
        /// Who wants to know.
        waiter: W,
    },
    /// An attempt ended.
    Sent {
        /// Which delivery's.
        key: DeliveryKey,
        /// How.
        result: Result<Receipt, SendError>,
    },
    /// The write of dead letters that the last [`Effect::Bury`] asked for ended.
    Buried {
        /// `Err` = nothing is known to be stored; it is tried again.
        result: Result<(), String>,
    },
    /// Time has passed.
    Tick,
    /// Finish attempts under way, begin no more, let everything else go.
    Drain,
    /// Take deliveries again after [`Event::Drain`].
    Resume,
    /// The output was configured anew: what is known about its state does not count any more.
    Replaced {
        /// How it is paced from now on.
        options: Box<DeliveryOptions>,
    },
}

/// What a [`DeliveryMachine`] wants done.
#[derive(Debug)]
pub enum Effect<W> {
    /// Make an attempt, then say [`Event::Sent`].
    Send {
        /// Which delivery's.
        key: DeliveryKey,
        /// The alert.
        alert: Arc<Alert>,
        /// Set when the incident was opened there before.
        update: Option<Update>,
    },
    /// Store these dead letters in one commit, then say [`Event::Buried`].
    Bury(Vec<Burial>),
    /// A delivery is too old and is given up: say so. An [`Effect::Bury`] with it follows.
    GivenUp {
        /// Which delivery.
        key: DeliveryKey,
        /// The alert.
        alert: Arc<Alert>,
        /// Attempts made.
        attempts: u32,
        /// Its last failure, or that of the output when it was down and this delivery had no turn.
        last_error: String,
    },
    /// The outcome is final and durable: tell them.
    Answer {
        /// All who asked for this delivery.
        waiters: Vec<W>,
        /// How it ended.
        outcome: DeliveryOutcome,
    },
    /// Draining: tell them to ask again later.
    Release {
        /// All who asked for this delivery.
        waiters: Vec<W>,
    },
}

/// A delivery to store as a dead letter.
#[derive(Debug, Clone)]
pub struct Burial {
    /// Which delivery.
    pub key: DeliveryKey,
    /// The alert.
    pub alert: Arc<Alert>,
    /// Attempts made.
    pub attempts: u32,
    /// Why, in one line.
    pub reason: String,
}
