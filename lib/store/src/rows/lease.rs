use streamalert_types::Timestamp;

use super::RowError;
use super::wire::{Reader, Writer};
use crate::Lease;

const VERSION: u8 = 2;

/// Key, owner, epoch, counter and the moment at which the lease would have ended.
const FIRST_VERSION: u8 = 1;

pub(crate) fn encode_lease(lease: &Lease) -> Vec<u8> {
    let mut row = Writer::new(VERSION, 96);
    row.text(&lease.key);
    row.option(lease.owner.as_deref(), Writer::text);
    row.number(lease.epoch);
    row.number(lease.counter);
    row.option(lease.address.as_deref(), Writer::text);
    row.option(lease.wanted_by.as_deref(), Writer::text);
    row.option(lease.checkpoint.as_deref(), Writer::text);
    row.list(lease.parents.iter(), |row, parent| row.text(parent));
    row.time(lease.updated);
    row.finish()
}

pub(crate) fn decode_lease(bytes: &[u8]) -> Result<Lease, RowError> {
    if bytes.first() == Some(&FIRST_VERSION) {
        return decode_first(bytes);
    }
    let mut row = Reader::new("lease", VERSION, bytes)?;
    let text = |row: &mut Reader<'_>| row.text().map(str::to_owned);
    let lease = Lease {
        key: text(&mut row)?,
        owner: row.option(text)?,
        epoch: row.number()?,
        counter: row.number()?,
        address: row.option(text)?,
        wanted_by: row.option(text)?,
        checkpoint: row.option(text)?,
        parents: row.list(text)?,
        updated: row.time()?,
    };
    row.finish()?;
    Ok(lease)
}

/// The moment at which it would have ended is passed over: no lease ends by the wall clock any more.
fn decode_first(bytes: &[u8]) -> Result<Lease, RowError> {
    let mut row = Reader::new("lease", FIRST_VERSION, bytes)?;
    let key = row.text()?.to_owned();
    let owner = row.option(|row| row.text().map(str::to_owned))?;
    let (epoch, counter) = (row.number()?, row.number()?);
    let _: Timestamp = row.time()?;
    row.finish()?;
    Ok(Lease {
        owner,
        epoch,
        counter,
        ..Lease::free(key)
    })
}
