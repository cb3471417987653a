//! Dead letters in the file.

use std::collections::BTreeSet;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};
use streamalert_types::{DeadLetter, DeadLetterId, DeadLetterKind, Timestamp};

use super::Failure;
use super::tables::{LETTER_BYTES, LETTER_COUNT, LETTERS, LETTERS_BY_KIND, META, Tables};
use crate::letters::{kind_name, letter_weight, letters_full};
use crate::rows::{decode_letter, encode_letter};
use crate::{DeadLetterFilter, StoreError};

/// Stands for every kind in the index.
pub(super) const ANY_KIND: u8 = 0;

/// How the index names a kind.
fn kind_code(name: &str) -> Option<u8> {
    match name {
        "unclassified" => Some(1),
        "rule" => Some(2),
        "undelivered" => Some(3),
        _ => None,
    }
}

fn codes(kind: &DeadLetterKind) -> [u8; 2] {
    [
        ANY_KIND,
        kind_code(kind_name(kind)).expect("every kind has a name that has a code"),
    ]
}

/// A letter with its row.
pub(super) struct NewLetter {
    id: DeadLetterId,
    created: Timestamp,
    codes: [u8; 2],
    weight: u64,
    row: Vec<u8>,
}

impl NewLetter {
    pub(super) fn new(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id,
            created: letter.created,
            codes: codes(&letter.kind),
            weight: letter_weight(letter),
            row: encode_letter(letter),
        }
    }

    pub(super) fn weight_bytes(&self) -> usize {
        self.row.len() + 256
    }
}

impl Tables<'_> {
    pub(super) fn put_letters(&mut self, letters: &[NewLetter], bytes_max: u64) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        let mut new = Vec::with_capacity(letters.len());
        for letter in letters {
            if seen.insert(letter.id) && self.letters.get(letter.id.as_u128())?.is_none() {
                new.push(letter);
            }
        }
        let held = self.meta(LETTER_BYTES)?;
        let added: u64 = new.iter().map(|letter| letter.weight).sum();
        if added > 0 && held + added > bytes_max {
            return Err(Failure::Refused(StoreError::Full {
                reason: letters_full(held, bytes_max),
            }));
        }
        for letter in &new {
            let id = letter.id.as_u128();
            self.letters.insert(id, &*letter.row)?;
            for code in letter.codes {
                self.letters_by_kind
                    .insert((code, letter.created.as_micros(), id), ())?;
            }
        }
        self.set_meta(LETTER_BYTES, held + added)?;
        let count = self.meta(LETTER_COUNT)? + new.len() as u64;
        self.set_meta(LETTER_COUNT, count)?;
        Ok(())
    }

    pub(super) fn remove_letters(&mut self, ids: &[DeadLetterId]) -> Result<(), Failure> {
        let (mut held, mut count) = (self.meta(LETTER_BYTES)?, self.meta(LETTER_COUNT)?);
        for id in ids {
            let Some(row) = self.letters.remove(id.as_u128())? else {
                continue;
            };
            let letter = decode_letter(row.value())?;
            for code in codes(&letter.kind) {
                self.letters_by_kind
                    .remove((code, letter.created.as_micros(), id.as_u128()))?;
            }
            held = held.saturating_sub(letter_weight(&letter));
            count = count.saturating_sub(1);
        }
        self.set_meta(LETTER_BYTES, held)?;
        self.set_meta(LETTER_COUNT, count)?;
        Ok(())
    }
}

pub(super) fn list(
    transaction: &ReadTransaction,
    filter: &DeadLetterFilter,
    after: Option<(Timestamp, DeadLetterId)>,
    items_max: usize,
) -> Result<Vec<DeadLetter>, Failure> {
    let code = match filter.kind.as_deref().map(kind_code) {
        None => ANY_KIND,
        Some(Some(code)) => code,
        Some(None) => return Ok(Vec::new()),
    };
    let (index, letters) = (
        transaction.open_table(LETTERS_BY_KIND)?,
        transaction.open_table(LETTERS)?,
    );
    let since = filter.since.map_or(i64::MIN, Timestamp::as_micros);
    let from = match after {
        Some((created, id)) if created.as_micros() >= since => {
            Bound::Excluded((code, created.as_micros(), id.as_u128()))
        }
        _ => Bound::Included((code, since, 0)),
    };
    let mut page = Vec::new();
    for entry in index
        .range((from, Bound::Included((code, i64::MAX, u128::MAX))))?
        .take(items_max)
    {
        let (_, _, id) = entry?.0.value();
        let Some(row) = letters.get(id)? else {
            let id = DeadLetterId::from_u128(id);
            return Err(Failure::Corrupt(format!("dead letter {id} has no row")));
        };
        page.push(decode_letter(row.value())?);
    }
    Ok(page)
}

pub(super) fn get(transaction: &ReadTransaction, id: DeadLetterId) -> Result<Option<DeadLetter>, Failure> {
    let row = transaction.open_table(LETTERS)?.get(id.as_u128())?;
    Ok(row.map(|row| decode_letter(row.value())).transpose()?)
}

pub(super) fn count(transaction: &ReadTransaction) -> Result<u64, Failure> {
    Ok(transaction
        .open_table(META)?
        .get(LETTER_COUNT)?
        .map_or(0, |count| count.value()))
}
