//! What a schema does with records of one sequence of keys.

use streamalert_value::NodeRef;

use crate::convert::{WrongType, stays, write};
use crate::normalize::NORMALIZATION_KEY;
use crate::pattern::ENVELOPE_KEY;
use crate::schema::Schema;

/// What is done with the member at a position.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// Its value becomes the type of the field with this index.
    Field(u32),
    /// It is kept as it is.
    Keep,
    /// It is left out, because we write a key of this name ourselves.
    Replace,
}

/// A schema's treatment of the records that have certain keys in a certain order.
#[derive(Debug)]
pub(crate) struct Plan {
    ops: Vec<Op>,
    /// Members for optional keys that are absent, as JSON without a leading comma.
    defaults: Vec<u8>,
    /// Position of the member that each pattern of the schema looks at; `None` for those of the envelope.
    patterns: Vec<Option<u32>>,
}

/// Why a record with the right keys is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A value does not convert.
    WrongType,
    /// A pattern does not match: its index.
    Pattern(usize),
}

impl From<WrongType> for Refused {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

/// What a written record is like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    /// Some value is another than in the source.
    pub(crate) changed: bool,
}

impl Plan {
    /// The plan for records with these keys; `None` when the schema does not take them.
    pub(crate) fn new(schema: &Schema, keys: &[NodeRef<'_>]) -> Option<Self> {
        let anything = schema.takes_anything();
        let open = anything || schema.keeps_unknown;
        if !open && keys.len() > schema.fields.len() {
            return None;
        }
        let mut ops = Vec::with_capacity(keys.len());
        let mut seen = vec![false; schema.fields.len()];
        for key in keys {
            ops.push(match schema.fields.find(*key) {
                Some(at) => {
                    seen[at] = true;
                    Op::Field(at as u32)
                }
                None if open => Op::Keep,
                None => return None,
            });
        }
        if seen
            .iter()
            .zip(&schema.required)
            .any(|(seen, required)| *required && !*seen)
        {
            return None;
        }
        for (op, key) in ops.iter_mut().zip(keys) {
            let ours = schema.envelope.is_some() && key.is_key(ENVELOPE_KEY)
                || schema.normalization.is_some() && key.is_key(NORMALIZATION_KEY);
            if ours {
                *op = Op::Replace;
            }
        }
        let mut patterns = Vec::with_capacity(schema.patterns.len());
        for pattern in &schema.patterns {
            let position = keys
                .iter()
                .position(|key| pattern.path.first().is_some_and(|name| key.is_key(name)));
            match position {
                _ if pattern.in_envelope => patterns.push(None),
                Some(at) => patterns.push(Some(at as u32)),
                None => return None,
            }
        }
        Some(Self {
            ops,
            defaults: defaults(schema, &seen),
            patterns,
        })
    }

    /// Appends the converted record without its closing brace, envelope and defaults included. On refusal the
    /// caller cuts off what was appended.
    pub(crate) fn write(
        &self,
        schema: &Schema,
        record: NodeRef<'_>,
        envelope: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Written, Refused> {
        self.check_patterns(schema, record)?;
        let mut members = MemberWriter::new(record, out);
        let mut written = Written::default();
        for (op, (key, value)) in self.ops.iter().zip(record.members()) {
            match op {
                Op::Keep => members.keep(key, value),
                Op::Replace => members.flush(),
                Op::Field(at) => {
                    let kind = &schema.fields.get(*at as usize).kind;
                    if stays(kind, value) {
                        members.keep(key, value);
                    } else {
                        members.key(key);
                        written.changed |= write(kind, value, members.out)?;
                    }
                }
            }
        }
        members.flush();
        members.append(envelope);
        members.append(&self.defaults);
        Ok(written)
    }

    fn check_patterns(&self, schema: &Schema, record: NodeRef<'_>) -> Result<(), Refused> {
        for (at, (pattern, position)) in schema.patterns.iter().zip(&self.patterns).enumerate() {
            let Some(position) = position else { continue };
            let position = *position as usize;
            let matched = record
                .members()
                .nth(position)
                .is_some_and(|(_, value)| match self.ops[position] {
                    Op::Field(field) => pattern.matches(value, &schema.fields.get(field as usize).kind),
                    Op::Keep | Op::Replace => pattern.matches(value, &crate::field::FieldType::Anything),
                });
            if !matched {
                return Err(Refused::Pattern(at));
            }
        }
        Ok(())
    }
}

fn defaults(schema: &Schema, seen: &[bool]) -> Vec<u8> {
    let mut json = Vec::new();
    for at in schema.optional.iter().filter(|at| !seen[**at]) {
        let field = schema.fields.get(*at);
        if !json.is_empty() {
            json.push(b',');
        }
        json.extend_from_slice(&field.json_key);
        json.extend_from_slice(field.kind.default_json().as_bytes());
    }
    json
}

/// Writes members of an object, those that stay as they are in runs as long as possible.
struct MemberWriter<'a> {
    source: &'a [u8],
    verbatim: bool,
    /// Span of members that are to be copied together.
    run: Option<(usize, usize)>,
    empty: bool,
    out: &'a mut Vec<u8>,
}

impl<'a> MemberWriter<'a> {
    fn new(record: NodeRef<'a>, out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        let tree = record.tree();
        Self {
            source: tree.source().as_bytes(),
            verbatim: tree.is_verbatim(),
            run: None,
            empty: true,
            out,
        }
    }

    /// A member that stays as it is.
    #[inline(always)]
    fn keep(&mut self, key: NodeRef<'_>, value: NodeRef<'_>) {
        if self.verbatim {
            let end = value.span().end;
            match &mut self.run {
                Some(run) => run.1 = end,
                None => self.run = Some((key.span().start, end)),
            }
        } else {
            self.key(key);
            value.write_json(self.out);
        }
    }

    /// The key of a member whose value the caller writes.
    fn key(&mut self, key: NodeRef<'_>) {
        self.flush();
        self.comma();
        self.out.extend_from_slice(key.raw().as_bytes());
        self.out.push(b':');
    }

    fn comma(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    fn flush(&mut self) {
        if let Some((start, end)) = self.run.take() {
            self.comma();
            self.out.extend_from_slice(&self.source[start..end]);
        }
    }

    /// Members as JSON; none when empty.
    fn append(&mut self, members: &[u8]) {
        if !members.is_empty() {
            self.comma();
            self.out.extend_from_slice(members);
        }
    }
}
