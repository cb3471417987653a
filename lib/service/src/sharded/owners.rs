use std::sync::Arc;
use std::time::Duration;

use streamalert_store::{Lease, LeaseStore};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::view::Listed;
use super::{Inner, Sharded};
use crate::Backoff;

/// While owners are unknown or cannot be reached, the table is read this much more often than otherwise.
const UNSETTLED_FACTOR: u32 = 5;

/// The task of a [`ShardedClient`](super::ShardedClient): reads the lease table from time to time, and at once when a
/// request finds that it has changed.
#[must_use = "a client does nothing until its task runs"]
pub struct OwnersTask<X: Sharded> {
    inner: Arc<Inner<X>>,
    leases: Arc<dyn LeaseStore>,
    links: CancellationToken,
    backoff: Backoff,
    complaints: Complaints,
}

/// What the log has been told already.
#[derive(Debug, Default)]
struct Complaints {
    unreadable: bool,
    without_owner: bool,
    listed: Listed,
}

impl<X: Sharded> OwnersTask<X> {
    pub(super) fn new(inner: Arc<Inner<X>>, leases: Arc<dyn LeaseStore>, links: CancellationToken) -> Self {
        let backoff = Backoff::new(inner.options.backoff, inner.options.client.seed);
        Self {
            inner,
            leases,
            links,
            backoff,
            complaints: Complaints::default(),
        }
    }

    /// Runs until `stop`. Requests that are open then are answered with
    /// [`NeighbourError::Unavailable`](streamalert_proto::NeighbourError::Unavailable).
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                read = self.read() => read,
            };
            let options = &self.inner.options;
            let pause = match read {
                Ok(leases) => {
                    self.backoff.reset();
                    self.take_over(&leases);
                    self.inner.options.refresh_pause
                }
                Err(problem) => {
                    let pause = self.backoff.next_delay();
                    if !std::mem::replace(&mut self.complaints.unreadable, true) {
                        tracing::warn!(leases = X::PREFIX, %problem, "lease table unreadable, going on with what is known");
                    }
                    pause.max(options.refresh_pause)
                }
            };
            let later = begun + self.regular_pause().max(pause);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep(pause) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.inner.refresh.notified() => {}
                () = sleep_until(later) => {}
            }
        }
        self.inner.view.send_modify(|view| view.stopped = true);
        if let Some((room, _)) = &self.inner.room {
            room.close();
        }
        self.links.cancel();
    }

    fn regular_pause(&self) -> Duration {
        let every = self.inner.options.refresh_every;
        if self.inner.view.borrow().is_unsettled() {
            every / UNSETTLED_FACTOR
        } else {
            every
        }
    }

    async fn read(&self) -> Result<Vec<Lease>, String> {
        let timeout = self.inner.options.read_timeout;
        match tokio::time::timeout(timeout, self.leases.list(X::PREFIX)).await {
            Ok(leases) => leases.map_err(|problem| problem.to_string()),
            Err(_) => Err(format!("no answer within {} s", timeout.as_secs_f64())),
        }
    }

    fn take_over(&mut self, leases: &[Lease]) {
        let mut listed = Listed::default();
        self.inner.view.send_if_modified(|view| {
            listed = view.listed(X::PREFIX, leases);
            listed.changed
        });
        self.inner.links.retain(&self.inner.view.borrow().addresses());
        let without_owner = self.inner.view.borrow().without_owner();
        self.complain(listed, without_owner);
    }

    fn complain(&mut self, listed: Listed, without_owner: usize) {
        let told = &mut self.complaints;
        let leases = X::PREFIX;
        if std::mem::take(&mut told.unreadable) {
            tracing::info!(leases, "lease table readable again");
        }
        if listed.beyond > 0 && told.listed.beyond == 0 {
            let (beyond, slots) = (listed.beyond, self.inner.options.slots);
            tracing::error!(
                leases,
                slots,
                beyond,
                "the table has leases of more slots than are configured here"
            );
        }
        if listed.without_address > 0 && told.listed.without_address == 0 {
            let count = listed.without_address;
            tracing::error!(
                leases,
                count,
                "owners have no address, nothing can be sent to them"
            );
        }
        told.listed = listed;
        if (without_owner > 0) != told.without_owner {
            told.without_owner = without_owner > 0;
            if told.without_owner {
                tracing::warn!(
                    leases,
                    without_owner,
                    "slots without an owner, what is theirs waits"
                );
            } else {
                tracing::info!(leases, "all slots have owners");
            }
        }
    }
}
