//! Leases and checkpoints in the file.

use std::time::Duration;

use redb::{ReadTransaction, ReadableTable};
use streamalert_types::Timestamp;

use super::Failure;
use super::tables::{CHECKPOINTS, LEASES, Tables};
use crate::lease::{acquired, fenced_shard, released, renewed};
use crate::rows::{decode_checkpoint, decode_lease, encode_lease};
use crate::{Checkpoint, Lease};

impl Tables<'_> {
    fn lease(&self, key: &str) -> Result<Option<Lease>, Failure> {
        let row = self.leases.get(key)?;
        Ok(row.map(|row| decode_lease(row.value())).transpose()?)
    }

    fn put_lease(&mut self, lease: &Lease) -> Result<(), Failure> {
        self.leases.insert(&*lease.key, &*encode_lease(lease))?;
        Ok(())
    }

    pub(super) fn acquire(
        &mut self,
        key: &str,
        owner: &str,
        now: Timestamp,
        duration: Duration,
    ) -> Result<Option<Lease>, Failure> {
        let shard = fenced_shard(key);
        let seen = shard.map(|shard| self.fence(shard)).transpose()?.flatten();
        let lease = acquired(self.lease(key)?.as_ref(), seen, key, owner, now, duration);
        if let Some(lease) = &lease {
            self.put_lease(lease)?;
            if let Some(shard) = shard.filter(|_| seen.is_none_or(|seen| seen < lease.epoch)) {
                self.set_fence(shard, lease.epoch)?;
            }
        }
        Ok(lease)
    }

    pub(super) fn renew(
        &mut self,
        held: &Lease,
        now: Timestamp,
        duration: Duration,
    ) -> Result<Option<Lease>, Failure> {
        let lease = renewed(self.lease(&held.key)?.as_ref(), held, now, duration);
        lease.iter().try_for_each(|lease| self.put_lease(lease))?;
        Ok(lease)
    }

    pub(super) fn release(&mut self, held: &Lease) -> Result<(), Failure> {
        let lease = released(self.lease(&held.key)?.as_ref(), held);
        lease.iter().try_for_each(|lease| self.put_lease(lease))
    }

    pub(super) fn put_checkpoints(
        &mut self,
        source: &str,
        checkpoints: &[(String, Vec<u8>)],
    ) -> Result<(), Failure> {
        for (partition, row) in checkpoints {
            self.checkpoints.insert((source, &**partition), &**row)?;
        }
        Ok(())
    }
}

pub(super) fn list_leases(transaction: &ReadTransaction, prefix: &str) -> Result<Vec<Lease>, Failure> {
    let leases = transaction.open_table(LEASES)?;
    let mut found = Vec::new();
    for entry in leases.range(prefix..)? {
        let (key, row) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        found.push(decode_lease(row.value())?);
    }
    Ok(found)
}

pub(super) fn get_checkpoint(
    transaction: &ReadTransaction,
    source: &str,
    partition: &str,
) -> Result<Option<Checkpoint>, Failure> {
    let row = transaction.open_table(CHECKPOINTS)?.get((source, partition))?;
    Ok(row.map(|row| decode_checkpoint(row.value())).transpose()?)
}

pub(super) fn list_checkpoints(
    transaction: &ReadTransaction,
    source: &str,
) -> Result<Vec<(String, Checkpoint)>, Failure> {
    let checkpoints = transaction.open_table(CHECKPOINTS)?;
    let mut found = Vec::new();
    for entry in checkpoints.range((source, "")..)? {
        let (key, row) = entry?;
        let (of, partition) = key.value();
        if of != source {
            break;
        }
        found.push((partition.to_owned(), decode_checkpoint(row.value())?));
    }
    Ok(found)
}
