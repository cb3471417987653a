use std::sync::Arc;

use streamalert_types::{OutputName, Timestamp};

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{row} row: {problem}")]
pub(crate) struct RowError {
    row: &'static str,
    problem: String,
}

/// Appends fields: integers in LEB128, times as 8 and ids as 16 bytes little-endian, texts and bytes after
/// their length.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(version: u8, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(version);
        Self(bytes)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(super) fn id(&mut self, id: u128) {
        self.0.extend_from_slice(&id.to_le_bytes());
    }

    pub(super) fn time(&mut self, time: Timestamp) {
        self.0.extend_from_slice(&time.as_micros().to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn option<T>(&mut self, option: Option<T>, some: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(option.is_some()));
        if let Some(value) = option {
            some(self, value);
        }
    }

    pub(super) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }
}

/// Takes fields off a row in the order in which a [`Writer`] put them there.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    row: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins to read a row, which must be of `version`.
    pub(super) fn new(row: &'static str, version: u8, bytes: &'a [u8]) -> Result<Self, RowError> {
        let mut reader = Self { row, rest: bytes };
        match reader.byte()? {
            found if found == version => Ok(reader),
            found => Err(reader.error(format!("version {found}, expected {version}"))),
        }
    }

    pub(super) fn error(&self, problem: String) -> RowError {
        RowError {
            row: self.row,
            problem,
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RowError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error(format!("{count} bytes expected, {} left", self.rest.len())));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RowError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, RowError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool, RowError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(format!("flag {other}"))),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, RowError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.error("number over 64 bits".to_owned()))
    }

    pub(super) fn small(&mut self) -> Result<u32, RowError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.error(format!("{number} is over 32 bits")))
    }

    pub(super) fn id(&mut self) -> Result<u128, RowError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, RowError> {
        Ok(Timestamp::from_micros(i64::from_le_bytes(self.array()?)))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RowError> {
        let count = self.number()?;
        let count = usize::try_from(count).map_err(|_| self.error(format!("{count} bytes expected")))?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, RowError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| self.error(error.to_string()))
    }

    pub(super) fn shared(&mut self) -> Result<Arc<str>, RowError> {
        Ok(self.text()?.into())
    }

    pub(super) fn output(&mut self) -> Result<OutputName, RowError> {
        let text = self.text()?;
        text.parse()
            .map_err(|error: streamalert_types::OutputNameError| self.error(error.to_string()))
    }

    pub(super) fn option<T>(
        &mut self,
        some: impl FnOnce(&mut Self) -> Result<T, RowError>,
    ) -> Result<Option<T>, RowError> {
        if self.flag()? {
            some(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A list of any collection. Nothing is reserved from the count, which may be wrong.
    pub(super) fn list<T, C: FromIterator<T>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, RowError>,
    ) -> Result<C, RowError> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(self.error(format!("a list of {count} in {} bytes", self.rest.len())));
        }
        (0..count).map(|_| each(self)).collect()
    }

    /// Nothing may be left over.
    pub(super) fn finish(self) -> Result<(), RowError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("{} bytes left over", self.rest.len())))
    }
}
