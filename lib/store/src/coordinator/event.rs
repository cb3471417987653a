use std::time::Duration;

use crate::{Lease, LeaseAnswer, StoreError};

/// How a [`super::Coordinator`] works.
#[derive(Debug, Clone)]
pub struct CoordinatorOptions {
    /// The name of this node. The same name after a restart takes its leases back at once.
    pub node: String,
    /// How long a lease must stand still before others take it. It is renewed three times within that; a node
    /// whose renewals fail stops its work after three quarters of it, so that clocks may differ in speed by
    /// a quarter. Fences guard against anything beyond.
    pub term: Duration,
    /// Leases asked for and not handed over yet, at most.
    pub moves_max: usize,
    /// No other process reaches the store: takes everything at once, whoever had it, and never gives up.
    pub alone: bool,
}

impl CoordinatorOptions {
    /// A node among others, with a term of 30 seconds.
    #[must_use]
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            term: Duration::from_secs(30),
            moves_max: 16,
            alone: false,
        }
    }
}

/// What happens to a coordinator.
#[derive(Debug, Clone)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// What an [`Effect::List`] read: all leases of the prefix.
    Listed {
        /// Which.
        call: u64,
        /// The leases.
        result: Result<Vec<Lease>, StoreError>,
    },
    /// What became of a write to one lease. An error says that it may or may not have happened.
    Answered {
        /// Which.
        call: u64,
        /// The lease.
        key: String,
        /// What.
        result: Result<LeaseAnswer, StoreError>,
    },
    /// The owner wants this noted; answered with [`Effect::Checkpointed`]. A later one replaces it.
    Checkpoint {
        /// The lease.
        key: String,
        /// How far the work is.
        checkpoint: String,
    },
    /// The owner has ended its work on a lease, after [`Effect::HandOver`].
    HandedOver {
        /// The lease.
        key: String,
    },
    /// The store refused the owner's write for its epoch.
    Fenced {
        /// The lease.
        key: String,
        /// The epoch of the write.
        epoch: u64,
    },
    /// Hand everything over and stop.
    Stop,
}

/// What is to be done: calls to the store, each answered with its number, and news for the owner of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read all leases of the prefix.
    List {
        /// Names the call.
        call: u64,
    },
    /// Take a lease.
    Take {
        /// Names the call.
        call: u64,
        /// As it was seen.
        seen: Lease,
    },
    /// Renew a lease.
    Renew {
        /// Names the call.
        call: u64,
        /// As it was written last.
        held: Lease,
    },
    /// Note how far the work is.
    Checkpoint {
        /// Names the call.
        call: u64,
        /// As it was written last.
        held: Lease,
        /// How far.
        checkpoint: String,
    },
    /// Ask for a lease, for this node or, when it stops, for another.
    Ask {
        /// Names the call.
        call: u64,
        /// As it was seen.
        seen: Lease,
        /// Who is to have it.
        node: String,
    },
    /// Give a lease back.
    Release {
        /// Names the call.
        call: u64,
        /// As it was written last.
        held: Lease,
        /// For whom.
        to: Option<String>,
    },
    /// News: the work on this lease is ours, under its epoch. The same epoch as before [`Loss::Expired`] says that
    /// nobody else has had it meanwhile.
    Own(Lease),
    /// News: end the work on this lease in good order, then say [`Event::HandedOver`].
    HandOver {
        /// The lease.
        key: String,
        /// Who goes on with it, if anyone.
        to: Option<String>,
    },
    /// News: stop the work on this lease at once.
    Lost {
        /// The lease.
        key: String,
        /// Why.
        loss: Loss,
    },
    /// News: how far the work is, is durable.
    Checkpointed {
        /// The lease.
        key: String,
        /// How far.
        checkpoint: String,
    },
    /// News: the table has been read, and what could be taken from the start is taken. Once.
    Started,
    /// News: nothing is held any more. Once, after [`Event::Stop`].
    Stopped,
}

/// Why a lease is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Another has it.
    Taken,
    /// It could not be renewed for so long that others may take it. If nobody did, [`Effect::Own`] comes with
    /// the same epoch.
    Expired,
}
