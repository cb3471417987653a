use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{
    AlertId, DeadLetter, DeadLetterId, DeadLetterKind, NearestSchema, Position, Sequence, Source,
};

use super::RowError;
use super::wire::{Reader, Writer};

const VERSION: u8 = 1;
const UNCLASSIFIED: u8 = 0;
const RULE_FAILURE: u8 = 1;
const UNDELIVERED: u8 = 2;
const OFFSET: u8 = 0;
const TOKEN: u8 = 1;

pub(crate) fn encode_letter(letter: &DeadLetter) -> Vec<u8> {
    let mut row = Writer::new(VERSION, letter.body.len() + 256);
    row.id(letter.id.as_u128());
    row.time(letter.created);
    write_kind(&mut row, &letter.kind);
    row.text(&letter.reason);
    row.bytes(&letter.body);
    row.byte(u8::from(letter.truncated));
    row.finish()
}

pub(crate) fn decode_letter(bytes: &[u8]) -> Result<DeadLetter, RowError> {
    let mut row = Reader::new("dead letter", VERSION, bytes)?;
    let letter = DeadLetter {
        id: DeadLetterId::from_u128(row.id()?),
        created: row.time()?,
        kind: read_kind(&mut row)?,
        reason: row.text()?.to_owned(),
        body: Bytes::copy_from_slice(row.bytes()?),
        truncated: row.flag()?,
    };
    row.finish()?;
    Ok(letter)
}

fn write_kind(row: &mut Writer, kind: &DeadLetterKind) {
    match kind {
        DeadLetterKind::Unclassified {
            source,
            position,
            sub,
            nearest,
        } => {
            row.byte(UNCLASSIFIED);
            write_place(row, source, position);
            row.option(*sub, |row, sub| row.number(u64::from(sub)));
            row.option(nearest.as_ref(), write_nearest);
        }
        DeadLetterKind::RuleFailure {
            log_type,
            data_type,
            source,
            position,
            sub,
            rule,
        } => {
            row.byte(RULE_FAILURE);
            row.text(log_type);
            row.text(data_type.as_str());
            write_place(row, source, position);
            row.number(u64::from(*sub));
            row.text(rule);
        }
        DeadLetterKind::Undelivered {
            alert,
            rule,
            output,
            attempts,
        } => {
            row.byte(UNDELIVERED);
            row.id(alert.as_u128());
            row.text(rule);
            row.text(output.as_str());
            row.number(u64::from(*attempts));
        }
    }
}

fn read_kind(row: &mut Reader<'_>) -> Result<DeadLetterKind, RowError> {
    match row.byte()? {
        UNCLASSIFIED => {
            let (source, position) = read_place(row)?;
            let sub = row.option(Reader::small)?;
            Ok(DeadLetterKind::Unclassified {
                source,
                position,
                sub,
                nearest: row.option(read_nearest)?,
            })
        }
        RULE_FAILURE => {
            let log_type = row.shared()?;
            let data_type = row
                .text()?
                .parse()
                .map_err(|problem: String| row.error(problem))?;
            let (source, position) = read_place(row)?;
            let sub = row.small()?;
            Ok(DeadLetterKind::RuleFailure {
                log_type,
                data_type,
                source,
                position,
                sub,
                rule: row.shared()?,
            })
        }
        UNDELIVERED => Ok(DeadLetterKind::Undelivered {
            alert: AlertId::from_u128(row.id()?),
            rule: row.shared()?,
            output: row.output()?,
            attempts: row.small()?,
        }),
        other => Err(row.error(format!("kind {other}"))),
    }
}

fn write_place(row: &mut Writer, source: &Source, position: &Position) {
    row.text(&source.service);
    row.text(&source.resource);
    row.option(source.cluster.as_deref(), Writer::text);
    row.text(&position.partition);
    match &position.sequence {
        Sequence::Offset(offset) => {
            row.byte(OFFSET);
            row.number(*offset);
        }
        Sequence::Token(token) => {
            row.byte(TOKEN);
            row.text(token);
        }
    }
}

fn read_place(row: &mut Reader<'_>) -> Result<(Arc<Source>, Position), RowError> {
    let source = Source {
        service: row.shared()?,
        resource: row.shared()?,
        cluster: row.option(Reader::shared)?,
    };
    let partition = row.shared()?;
    let sequence = match row.byte()? {
        OFFSET => Sequence::Offset(row.number()?),
        TOKEN => Sequence::Token(row.shared()?),
        other => return Err(row.error(format!("sequence {other}"))),
    };
    Ok((Arc::new(source), Position { partition, sequence }))
}

fn write_nearest(row: &mut Writer, nearest: &NearestSchema) {
    row.text(&nearest.log_type);
    for keys in [&nearest.missing, &nearest.unexpected, &nearest.wrong_type] {
        row.list(keys.iter(), |row, key| row.text(key));
    }
}

fn read_nearest(row: &mut Reader<'_>) -> Result<NearestSchema, RowError> {
    let text = |row: &mut Reader<'_>| row.text().map(str::to_owned);
    Ok(NearestSchema {
        log_type: text(row)?,
        missing: row.list(text)?,
        unexpected: row.list(text)?,
        wrong_type: row.list(text)?,
    })
}
