//! Leases and checkpoints in the file.

use redb::{ReadTransaction, ReadableTable};
use streamalert_types::Timestamp;

use super::Failure;
use super::tables::{CHECKPOINTS, LEASES, Tables};
use crate::lease::{fenced_shard, removed, taken};
use crate::rows::{decode_checkpoint, decode_lease, encode_lease};
use crate::{Checkpoint, Lease, LeaseAnswer};

impl Tables<'_> {
    fn lease(&self, key: &str) -> Result<Option<Lease>, Failure> {
        let row = self.leases.get(key)?;
        Ok(row.map(|row| decode_lease(row.value())).transpose()?)
    }

    fn put_lease(&mut self, lease: &Lease) -> Result<(), Failure> {
        self.leases.insert(&*lease.key, &*encode_lease(lease))?;
        Ok(())
    }

    pub(super) fn create_leases(&mut self, leases: &[Lease]) -> Result<u64, Failure> {
        let mut created = 0;
        for lease in leases {
            if self.leases.get(&*lease.key)?.is_none() {
                self.put_lease(lease)?;
                created += 1;
            }
        }
        Ok(created)
    }

    pub(super) fn take_lease(
        &mut self,
        seen: &Lease,
        owner: (&str, Option<&str>),
        at: Timestamp,
    ) -> Result<LeaseAnswer, Failure> {
        let shard = fenced_shard(&seen.key);
        let fenced = shard.map(|shard| self.fence(shard)).transpose()?.flatten();
        let answer = taken(self.lease(&seen.key)?, seen, fenced, owner, at);
        if let LeaseAnswer::Written(lease) = &answer {
            self.put_lease(lease)?;
            if let Some(shard) = shard {
                self.set_fence(shard, lease.epoch)?;
            }
        }
        Ok(answer)
    }

    pub(super) fn change_lease(
        &mut self,
        key: &str,
        change: impl FnOnce(Option<Lease>) -> LeaseAnswer,
    ) -> Result<LeaseAnswer, Failure> {
        let answer = change(self.lease(key)?);
        if let LeaseAnswer::Written(lease) = &answer {
            self.put_lease(lease)?;
        }
        Ok(answer)
    }

    pub(super) fn remove_lease(&mut self, seen: &Lease) -> Result<bool, Failure> {
        let removed = removed(self.lease(&seen.key)?.as_ref(), seen);
        if removed {
            self.leases.remove(&*seen.key)?;
        }
        Ok(removed)
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

    pub(super) fn remove_checkpoints(&mut self, source: &str, partitions: &[String]) -> Result<(), Failure> {
        for partition in partitions {
            self.checkpoints.remove((source, &**partition))?;
        }
        Ok(())
    }

    pub(super) fn expire_checkpoints(&mut self, source: &str, now: Timestamp) -> Result<u64, Failure> {
        let mut expired = Vec::new();
        for (partition, checkpoint) in checkpoints_of(&self.checkpoints, source)? {
            if checkpoint.expires.is_some_and(|expires| expires <= now) {
                expired.push(partition);
            }
        }
        self.remove_checkpoints(source, &expired)?;
        Ok(expired.len() as u64)
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
    checkpoints_of(&transaction.open_table(CHECKPOINTS)?, source)
}

fn checkpoints_of(
    checkpoints: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    source: &str,
) -> Result<Vec<(String, Checkpoint)>, Failure> {
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
