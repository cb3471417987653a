use super::RowError;
use super::wire::{Reader, Writer};
use crate::Lease;

const VERSION: u8 = 1;

pub(crate) fn encode_lease(lease: &Lease) -> Vec<u8> {
    let mut row = Writer::new(VERSION, 64);
    row.text(&lease.key);
    row.option(lease.owner.as_deref(), Writer::text);
    row.number(lease.epoch);
    row.number(lease.counter);
    row.time(lease.expires);
    row.finish()
}

pub(crate) fn decode_lease(bytes: &[u8]) -> Result<Lease, RowError> {
    let mut row = Reader::new("lease", VERSION, bytes)?;
    let lease = Lease {
        key: row.text()?.to_owned(),
        owner: row.option(|row| row.text().map(str::to_owned))?,
        epoch: row.number()?,
        counter: row.number()?,
        expires: row.time()?,
    };
    row.finish()?;
    Ok(lease)
}
