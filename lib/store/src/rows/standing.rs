use std::sync::Arc;

use streamalert_types::{DeliveryOutcome, GroupId};

use super::RowError;
use super::wire::{Reader, Writer};
use crate::standing::Standing;
use crate::{GroupMember, ShardId};

const VERSION: u8 = 1;
const DELIVERED: u8 = 0;
const DEAD_LETTERED: u8 = 1;
/// Delivered, and what the output calls the incident.
const OPENED: u8 = 2;

const NO_GROUP: u8 = 0;
const MEMBER: u8 = 1;
/// A member that went out at once.
const FIRST: u8 = 2;

pub(crate) fn encode_standing(standing: &Standing) -> Vec<u8> {
    let mut row = Writer::new(VERSION, 128);
    row.number(u64::from(standing.shard.0));
    row.time(standing.created);
    row.list(standing.pending.iter(), |row, output| row.text(output.as_str()));
    row.list(standing.settled.iter(), |row, (output, outcome)| {
        row.text(output.as_str());
        write_outcome(row, outcome);
    });
    match &standing.group {
        None => row.byte(NO_GROUP),
        Some(member) => {
            row.byte(if member.first { FIRST } else { MEMBER });
            row.id(member.group.as_u128());
            row.bytes(&member.key);
        }
    }
    row.option(standing.expires, Writer::time);
    row.finish()
}

pub(crate) fn decode_standing(bytes: &[u8]) -> Result<Standing, RowError> {
    let mut row = Reader::new("standing", VERSION, bytes)?;
    let shard = row.number()?;
    let shard = u16::try_from(shard).map_err(|_| row.error(format!("shard {shard}")))?;
    let standing = Standing {
        shard: ShardId(shard),
        created: row.time()?,
        pending: row.list(Reader::output)?,
        settled: row.list(|row| Ok((row.output()?, read_outcome(row)?)))?,
        group: read_group(&mut row)?,
        expires: row.option(Reader::time)?,
    };
    row.finish()?;
    Ok(standing)
}

fn read_group(row: &mut Reader<'_>) -> Result<Option<GroupMember>, RowError> {
    let first = match row.byte()? {
        NO_GROUP => return Ok(None),
        MEMBER => false,
        FIRST => true,
        other => return Err(row.error(format!("group {other}"))),
    };
    Ok(Some(GroupMember {
        group: GroupId::from_u128(row.id()?),
        key: Arc::from(row.bytes()?),
        first,
    }))
}

fn write_outcome(row: &mut Writer, outcome: &DeliveryOutcome) {
    match outcome {
        DeliveryOutcome::Delivered { attempts, reference } => {
            row.byte(if reference.is_some() { OPENED } else { DELIVERED });
            row.number(u64::from(*attempts));
            if let Some(reference) = reference {
                row.text(reference);
            }
        }
        DeliveryOutcome::DeadLettered { attempts, reason } => {
            row.byte(DEAD_LETTERED);
            row.number(u64::from(*attempts));
            row.text(reason);
        }
    }
}

fn read_outcome(row: &mut Reader<'_>) -> Result<DeliveryOutcome, RowError> {
    match row.byte()? {
        DELIVERED => Ok(DeliveryOutcome::delivered(row.small()?)),
        OPENED => Ok(DeliveryOutcome::Delivered {
            attempts: row.small()?,
            reference: Some(row.shared()?),
        }),
        DEAD_LETTERED => Ok(DeliveryOutcome::DeadLettered {
            attempts: row.small()?,
            reason: row.text()?.to_owned(),
        }),
        other => Err(row.error(format!("outcome {other}"))),
    }
}
