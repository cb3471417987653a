//! Frames between the pool and a worker: length of the body (4 bytes, little endian), kind (1 byte), body.
//! The other side of this layout is `wire.py`.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use streamalert_detect::{Fired, RuleException, RuleIndex, RuleOutcome};
use streamalert_value::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::marshal::Group;

pub(crate) const INIT: u8 = 1;
pub(crate) const BIND: u8 = 2;
pub(crate) const EVALUATE: u8 = 3;
pub(crate) const PUBLISH: u8 = 4;
pub(crate) const LOADING: u8 = 17;
pub(crate) const LOADED: u8 = 18;
pub(crate) const RESULT: u8 = 19;
pub(crate) const PUBLISHED: u8 = 20;
pub(crate) const EXPORTED: u8 = 21;

const FIRED: u8 = 1;
const EXCEPTION: u8 = 2;
const FALSE: u8 = 3;
const NOT_RUN: u8 = 4;
const UNREADABLE: u8 = 5;

/// A worker that announces more is out of its mind; the largest real answer is a publication.
const BODY_BYTES_MAX: u32 = 256 << 20;

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Bytes,
}

/// Reads the next frame; `None` at the end of the stream or after a broken frame.
pub(crate) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let length = stream.read_u32_le().await.ok()?;
    let kind = stream.read_u8().await.ok()?;
    if length > BODY_BYTES_MAX {
        return None;
    }
    let mut body = Vec::new();
    // Grows with what arrives, so that a lie about the length costs no memory.
    let read = stream.take(u64::from(length)).read_to_end(&mut body).await.ok()?;
    (read == length as usize).then(|| Frame {
        kind,
        body: body.into(),
    })
}

/// A whole frame, ready to be written.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + 5);
    put_len(&mut frame, body.len());
    frame.push(kind);
    frame.extend_from_slice(body);
    frame
}

/// Which rules to run on each record of a frame: the distinct lists, and which of them a record has.
#[derive(Debug, Default)]
pub(crate) struct Plans<'a> {
    lists: Vec<Cow<'a, [RuleIndex]>>,
    numbers: HashMap<Cow<'a, [RuleIndex]>, u16>,
    of: Vec<u16>,
}

impl<'a> Plans<'a> {
    /// Adds the next record's list.
    pub(crate) fn add(&mut self, list: Cow<'a, [RuleIndex]>) {
        // Most records have the list of the one before.
        if let Some(last) = self.of.last()
            && self.lists.get(usize::from(*last)) == Some(&list)
        {
            self.of.push(*last);
            return;
        }
        let number = *self.numbers.entry(list).or_insert_with_key(|list| {
            self.lists.push(list.clone());
            u16::try_from(self.lists.len() - 1).expect("a slice has no more records than that")
        });
        self.of.push(number);
    }

    /// The list of the record at this place.
    #[cfg(test)]
    pub(crate) fn list(&self, record: usize) -> &[RuleIndex] {
        &self.lists[usize::from(self.of[record])]
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_len16(out, self.lists.len());
        for list in &self.lists {
            put_len(out, list.len());
            list.iter().for_each(|rule| put_u32(out, rule.0));
        }
    }
}

/// What an EVALUATE frame says.
pub(crate) struct EvaluateFrame<'a, G> {
    pub(crate) sequence: u32,
    pub(crate) trace: bool,
    pub(crate) fixtures: Option<&'a str>,
    /// The records, in groups.
    pub(crate) groups: G,
    /// How many records at the beginning of the first group are not to be evaluated.
    pub(crate) done: usize,
    /// For every record of the groups.
    pub(crate) plans: &'a Plans<'a>,
}

impl<'a, G: Iterator<Item = &'a Group> + Clone> EvaluateFrame<'a, G> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let bytes: usize = self
            .groups
            .clone()
            .map(|group| group.data.len() + group.count * 2 + 8)
            .sum();
        let mut out = Vec::with_capacity(bytes + 1024);
        out.extend([0, 0, 0, 0, EVALUATE]);
        put_u32(&mut out, self.sequence);
        out.push(u8::from(self.trace));
        let fixtures = self.fixtures.unwrap_or_default();
        put_len(&mut out, fixtures.len());
        out.extend_from_slice(fixtures.as_bytes());
        self.plans.encode(&mut out);
        put_len(&mut out, self.done);
        put_len(&mut out, self.groups.clone().count());
        let mut of = self.plans.of.iter();
        for group in self.groups.clone() {
            put_len(&mut out, group.count);
            of.by_ref()
                .take(group.count)
                .for_each(|plan| out.extend_from_slice(&plan.to_le_bytes()));
            put_len(&mut out, group.data.len());
            out.extend_from_slice(&group.data);
        }
        let length = u32::try_from(out.len() - 5).expect("slices are bounded far below 4 GiB");
        out[..4].copy_from_slice(&length.to_le_bytes());
        out
    }
}

/// A PUBLISH frame: JSON with `alert`, its item, `names` of publishers, and `publication`.
pub(crate) fn publish_frame(sequence: u32, request: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(request.len() + 64);
    put_u32(&mut body, sequence);
    put_len(&mut body, request.len());
    body.extend_from_slice(request.as_bytes());
    frame(PUBLISH, &body)
}

/// What a RESULT frame says.
#[derive(Debug)]
pub(crate) struct ResultFrame {
    pub(crate) sequence: u32,
    /// How many records are done; the rest did not fit the slice.
    pub(crate) done: usize,
    /// Lines of output dropped.
    pub(crate) dropped: u32,
    pub(crate) entries: Vec<Entry>,
}

/// One entry of a RESULT frame.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Place of the record in the EVALUATE frame.
    pub(crate) record: usize,
    pub(crate) rule: RuleIndex,
    /// `None`: the record is not JSON, whatever the rule.
    pub(crate) outcome: Option<RuleOutcome>,
}

impl ResultFrame {
    /// Reads it; `None` when it is malformed.
    pub(crate) fn decode(body: &Bytes) -> Option<Self> {
        let mut input = Input { body, at: 0 };
        let sequence = input.u32()?;
        let done = input.u32()? as usize;
        let dropped = input.u32()?;
        let count = input.u32()? as usize;
        let mut entries = Vec::with_capacity(count.min(4096));
        for _ in 0..count {
            let record = input.u32()? as usize;
            let rule = RuleIndex(input.u32()?);
            let kind = input.u8()?;
            let length = input.u32()? as usize;
            let mut data = Input {
                body: &input.bytes(length)?,
                at: 0,
            };
            let outcome = match kind {
                FIRED => Some(RuleOutcome::Fired(fired(&mut data)?)),
                EXCEPTION => Some(RuleOutcome::Exception(exception(&mut data)?)),
                FALSE => Some(RuleOutcome::False),
                NOT_RUN => Some(RuleOutcome::NotRun),
                UNREADABLE => None,
                _ => return None,
            };
            if record >= done {
                return None;
            }
            entries.push(Entry {
                record,
                rule,
                outcome,
            });
        }
        Some(Self {
            sequence,
            done,
            dropped,
            entries,
        })
    }
}

fn fired(data: &mut Input<'_>) -> Option<Fired> {
    let count = data.u16()?;
    let outputs = (0..count)
        .map(|_| data.text16()?.parse().ok())
        .collect::<Option<Vec<_>>>()?;
    let length = data.u32()? as usize;
    let context = data.bytes(length)?;
    let context = if &context[..] == b"{}" {
        Value::Map(Map::new())
    } else {
        Value::parse_json(&context).ok()?
    };
    let record = match data.u8()? {
        0 => None,
        _ => Some(data.rest()),
    };
    Some(Fired {
        outputs,
        context,
        record,
    })
}

fn exception(data: &mut Input<'_>) -> Option<RuleException> {
    let kind = data.text16()?.into();
    let message = data.text16()?;
    let traceback = String::from_utf8_lossy(&data.rest()).into_owned();
    Some(RuleException {
        kind,
        message,
        traceback,
    })
}

/// What a PUBLISHED frame says.
pub(crate) struct PublishedFrame {
    pub(crate) sequence: u32,
    /// Why there is no publication; empty when there is one.
    pub(crate) failure: String,
    pub(crate) publication: Bytes,
}

impl PublishedFrame {
    /// Reads it; `None` when it is malformed.
    pub(crate) fn decode(body: &Bytes) -> Option<Self> {
        let mut input = Input { body, at: 0 };
        Some(Self {
            sequence: input.u32()?,
            failure: input.text16()?,
            publication: input.rest(),
        })
    }
}

struct Input<'a> {
    body: &'a Bytes,
    at: usize,
}

impl Input<'_> {
    fn bytes(&mut self, length: usize) -> Option<Bytes> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.body.len())?;
        let bytes = self.body.slice(self.at..end);
        self.at = end;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.as_ref().try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text16(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?);
        // Cut at a length in bytes, so its last character may be broken.
        self.bytes(length)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn rest(&mut self) -> Bytes {
        let rest = self.body.slice(self.at..);
        self.at = self.body.len();
        rest
    }
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_len(out: &mut Vec<u8>, length: usize) {
    put_u32(
        out,
        u32::try_from(length).expect("frames are bounded far below 4 GiB"),
    );
}

fn put_len16(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(
        &u16::try_from(length)
            .expect("a slice has fewer records than that")
            .to_le_bytes(),
    );
}

#[cfg(test)]
mod tests;
