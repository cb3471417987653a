use super::RowError;
use super::wire::{Reader, Writer};
use crate::Checkpoint;

const VERSION: u8 = 1;

pub(crate) fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut row = Writer::new(VERSION, 32);
    row.text(&checkpoint.sequence);
    row.byte(u8::from(checkpoint.finished));
    row.time(checkpoint.updated);
    row.finish()
}

pub(crate) fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, RowError> {
    let mut row = Reader::new("checkpoint", VERSION, bytes)?;
    let checkpoint = Checkpoint {
        sequence: row.text()?.to_owned(),
        finished: row.flag()?,
        updated: row.time()?,
    };
    row.finish()?;
    Ok(checkpoint)
}
