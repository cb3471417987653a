use super::RowError;
use super::wire::{Reader, Writer};
use crate::Checkpoint;

/// 1 had no expiry.
const VERSION: u8 = 2;

pub(crate) fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut row = Writer::new(VERSION, 32);
    row.text(&checkpoint.sequence);
    row.byte(u8::from(checkpoint.finished));
    row.time(checkpoint.updated);
    row.option(checkpoint.expires, Writer::time);
    row.finish()
}

pub(crate) fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, RowError> {
    let is_first = bytes.first() == Some(&1);
    let mut row = Reader::new("checkpoint", if is_first { 1 } else { VERSION }, bytes)?;
    let checkpoint = Checkpoint {
        sequence: row.text()?.to_owned(),
        finished: row.flag()?,
        updated: row.time()?,
        expires: if is_first { None } else { row.option(Reader::time)? },
    };
    row.finish()?;
    Ok(checkpoint)
}
