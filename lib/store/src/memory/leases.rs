use async_trait::async_trait;
use streamalert_types::Timestamp;

use crate::lease::{asked, checkpointed, fenced_shard, released, removed, renewed, taken};
use crate::{Lease, LeaseAnswer, LeaseStore, MemoryStore, StoreError};

impl MemoryStore {
    /// Writes what `change` makes of the lease as it stands.
    fn change_lease(&self, key: &str, change: impl FnOnce(Option<Lease>) -> LeaseAnswer) -> LeaseAnswer {
        let mut state = self.state();
        let answer = change(state.leases.get(key).cloned());
        if let LeaseAnswer::Written(lease) = &answer {
            state.leases.insert(key.to_owned(), lease.clone());
        }
        answer
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn create(&self, leases: Vec<Lease>) -> Result<u64, StoreError> {
        let mut state = self.state();
        let before = state.leases.len();
        for lease in leases {
            state.leases.entry(lease.key.clone()).or_insert(lease);
        }
        Ok((state.leases.len() - before) as u64)
    }

    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let mut state = self.state();
        // Together, so that nobody writes under an older epoch once the lease is taken.
        let mut fenced = fenced_shard(&seen.key).map(|shard| (shard, self.stripe(shard)));
        let alerts = fenced.as_mut().map(|(shard, stripe)| stripe.shard(*shard));
        let fence = alerts.as_ref().and_then(|alerts| alerts.fence());
        let current = state.leases.get(&seen.key).cloned();
        let answer = taken(current, seen, fence, (owner, address), at);
        if let LeaseAnswer::Written(lease) = &answer {
            state.leases.insert(lease.key.clone(), lease.clone());
            if let Some(alerts) = alerts {
                alerts.raise_fence(lease.epoch);
            }
        }
        Ok(answer)
    }

    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        Ok(self.change_lease(&held.key, |current| renewed(current, held, at)))
    }

    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        Ok(self.change_lease(&held.key, |current| checkpointed(current, held, checkpoint, at)))
    }

    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        Ok(self.change_lease(&seen.key, |current| asked(current, seen, node, at)))
    }

    async fn release(
        &self,
        held: &Lease,
        to: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        Ok(self.change_lease(&held.key, |current| released(current, held, to, at)))
    }

    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError> {
        let mut state = self.state();
        let removed = removed(state.leases.get(&seen.key), seen);
        if removed {
            state.leases.remove(&seen.key);
        }
        Ok(removed)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let state = self.state();
        let from = state.leases.range(prefix.to_owned()..);
        Ok(from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, lease)| lease.clone())
            .collect())
    }
}
