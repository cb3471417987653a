//! The tables of the file, and opening all of them for a write.

use redb::{ReadableTable, StorageError, Table, TableDefinition, TableError, WriteTransaction};

use super::Failure;
use crate::ShardId;

/// A B-tree of the file.
pub(super) type Definition<K, V> = TableDefinition<'static, K, V>;

/// Time of creation and id: what is created together lies together, and a listing is a scan.
pub(super) type PlaceKey = (i64, u128);
/// A place within a shard.
pub(super) type ShardPlaceKey = (u16, i64, u128);

/// Alert rows. Written once, removed with the tombstone.
pub(super) const ALERTS: Definition<PlaceKey, &[u8]> = TableDefinition::new("alerts");
/// Where each alert stands, by id.
pub(super) const STANDINGS: Definition<u128, &[u8]> = TableDefinition::new("standings");
/// Undelivered (shard, output, created, alert).
pub(super) const OUTBOX: Definition<(u16, &str, i64, u128), ()> = TableDefinition::new("outbox");
/// How many entries of the outbox there are for each (shard, output).
pub(super) const BACKLOG: Definition<(u16, &str), u64> = TableDefinition::new("backlog");
/// Alerts that wait in a group: (shard, created, alert).
pub(super) const GROUPED: Definition<ShardPlaceKey, ()> = TableDefinition::new("grouped");
/// Settled alerts: (shard, expires, alert).
pub(super) const TOMBSTONES: Definition<ShardPlaceKey, ()> = TableDefinition::new("tombstones");
/// The highest epoch that each shard has seen.
pub(super) const FENCES: Definition<u16, u64> = TableDefinition::new("fences");
/// Dead-letter rows, by id.
pub(super) const LETTERS: Definition<u128, &[u8]> = TableDefinition::new("letters");
/// Every letter twice: under its kind and under [`super::letters::ANY_KIND`].
pub(super) const LETTERS_BY_KIND: Definition<(u8, i64, u128), ()> = TableDefinition::new("letters_by_kind");
/// Checkpoint rows by (source, partition).
pub(super) const CHECKPOINTS: Definition<(&str, &str), &[u8]> = TableDefinition::new("checkpoints");
/// Lease rows by key.
pub(super) const LEASES: Definition<&str, &[u8]> = TableDefinition::new("leases");
/// Counters and the version of the format.
pub(super) const META: Definition<&str, u64> = TableDefinition::new("meta");

/// Version of tables and keys together. Rows carry their own.
pub(super) const FORMAT_VERSION: u64 = 1;
/// Key of [`FORMAT_VERSION`] in [`META`].
pub(super) const FORMAT: &str = "format";
/// Commits so far: tells whether a commit whose answer was lost took place.
pub(super) const COMMITS: &str = "commits";
/// Weight of all dead letters, in bytes.
pub(super) const LETTER_BYTES: &str = "letter_bytes";
/// Number of dead letters.
pub(super) const LETTER_COUNT: &str = "letter_count";

/// All tables, open for one write transaction.
pub(super) struct Tables<'t> {
    pub(super) alerts: Table<'t, PlaceKey, &'static [u8]>,
    pub(super) standings: Table<'t, u128, &'static [u8]>,
    pub(super) outbox: Table<'t, (u16, &'static str, i64, u128), ()>,
    pub(super) backlog: Table<'t, (u16, &'static str), u64>,
    pub(super) grouped: Table<'t, ShardPlaceKey, ()>,
    pub(super) tombstones: Table<'t, ShardPlaceKey, ()>,
    pub(super) fences: Table<'t, u16, u64>,
    pub(super) letters: Table<'t, u128, &'static [u8]>,
    pub(super) letters_by_kind: Table<'t, (u8, i64, u128), ()>,
    pub(super) checkpoints: Table<'t, (&'static str, &'static str), &'static [u8]>,
    pub(super) leases: Table<'t, &'static str, &'static [u8]>,
    pub(super) meta: Table<'t, &'static str, u64>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            alerts: transaction.open_table(ALERTS)?,
            standings: transaction.open_table(STANDINGS)?,
            outbox: transaction.open_table(OUTBOX)?,
            backlog: transaction.open_table(BACKLOG)?,
            grouped: transaction.open_table(GROUPED)?,
            tombstones: transaction.open_table(TOMBSTONES)?,
            fences: transaction.open_table(FENCES)?,
            letters: transaction.open_table(LETTERS)?,
            letters_by_kind: transaction.open_table(LETTERS_BY_KIND)?,
            checkpoints: transaction.open_table(CHECKPOINTS)?,
            leases: transaction.open_table(LEASES)?,
            meta: transaction.open_table(META)?,
        })
    }

    pub(super) fn meta(&self, key: &str) -> Result<u64, StorageError> {
        Ok(self.meta.get(key)?.map_or(0, |value| value.value()))
    }

    pub(super) fn set_meta(&mut self, key: &str, value: u64) -> Result<(), StorageError> {
        self.meta.insert(key, value).map(drop)
    }

    /// Counts this commit. Answers its number.
    pub(super) fn count_commit(&mut self) -> Result<u64, StorageError> {
        let number = self.meta(COMMITS)?.wrapping_add(1);
        self.set_meta(COMMITS, number)?;
        Ok(number)
    }

    pub(super) fn fence(&self, shard: ShardId) -> Result<Option<u64>, StorageError> {
        Ok(self.fences.get(shard.0)?.map(|epoch| epoch.value()))
    }

    pub(super) fn set_fence(&mut self, shard: ShardId, epoch: u64) -> Result<(), StorageError> {
        self.fences.insert(shard.0, epoch).map(drop)
    }

    /// Changes the number of undelivered alerts of one output.
    pub(super) fn add_backlog(&mut self, shard: ShardId, output: &str, by: i64) -> Result<(), Failure> {
        let key = (shard.0, output);
        let before = self.backlog.get(key)?.map_or(0, |count| count.value());
        match before.checked_add_signed(by) {
            Some(0) => self.backlog.remove(key).map(drop)?,
            Some(count) => self.backlog.insert(key, count).map(drop)?,
            None => {
                return Err(Failure::Corrupt(format!(
                    "backlog of {output} is {before}, taking {by}"
                )));
            }
        }
        Ok(())
    }
}
