//! Takes documents such as `{"Records": [ … ]}` apart without holding them: CloudTrail, AWS Config and others write
//! whole files as one JSON document whose array holds the log entries. Pure: told bytes, tells where elements end.
//!
//! Only the structure is looked at. Whether an element is JSON is for whoever parses it to say.

use bytes::{BufMut, Bytes, BytesMut};

/// Members of a document under which its log entries are an array: CloudTrail and others, services of Azure,
/// AWS Config snapshots, subscriptions to CloudWatch Logs.
const ARRAY_KEYS: [&[u8]; 4] = [b"Records", b"records", b"configurationItems", b"logEvents"];

/// How far into a document its array must begin, and how much may follow it. What stands there is kept with each
/// element, so this bounds how much larger the elements get.
pub(crate) const MEMBERS_BYTES_MAX: usize = 16 << 10;

/// What a look at the beginning of a document tells.
#[derive(Debug)]
pub(crate) enum Opening {
    /// It has such an array, whose first element stands after so many bytes.
    Array(Splitter, usize),
    /// It has none.
    Not,
    /// That cannot be told yet.
    More,
}

/// What to do with the bytes that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many of them are of no further use.
    Skip(usize),
    /// So many of them are the next element, or its end.
    Element(usize),
    /// Show them again with more after them.
    More,
    /// The document ends after so many.
    End(usize),
    /// This is no such document, after all: why.
    Broken(&'static str),
}

/// A document that is being taken apart. It is always shown what it has not yet asked to skip.
#[derive(Debug)]
pub(crate) struct Splitter {
    /// The document up to and with the bracket that opens the array.
    head: Bytes,
    state: State,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After the opening bracket: an element or the end.
    First,
    /// After an element: a comma or the end.
    After,
    /// After a comma.
    Next,
    /// Within an element.
    Inside,
    /// After the array.
    Members,
}

impl Splitter {
    /// Looks at the beginning of what may be such a document.
    pub(crate) fn open(bytes: &[u8]) -> Opening {
        let (bytes, all) = members_of(bytes);
        let at = skip_space(bytes, 0);
        let seek = match bytes.get(at) {
            Some(b'{') => seek(bytes, at + 1),
            Some(_) => Seek::Not,
            None => Seek::More,
        };
        match seek {
            Seek::Array { after, .. } => {
                let head = bytes.get(at..after).unwrap_or_default();
                Opening::Array(Self::new(Bytes::copy_from_slice(head)), after)
            }
            Seek::More if !all => Opening::More,
            Seek::More | Seek::Not | Seek::End(_) => Opening::Not,
        }
    }

    fn new(head: Bytes) -> Self {
        Self {
            head,
            state: State::First,
            value: Value::default(),
        }
    }

    /// The next step, given every byte from where the last one left off.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Step {
        if self.state == State::Inside {
            return self.inside(bytes);
        }
        if self.state == State::Members {
            return self.members(bytes);
        }
        let at = skip_space(bytes, 0);
        match (self.state, bytes.get(at)) {
            (_, None) if at == 0 => Step::More,
            (_, None) => Step::Skip(at),
            (State::First | State::After, Some(b']')) => {
                self.state = State::Members;
                Step::Skip(at + 1)
            }
            (State::After, Some(b',')) => {
                self.state = State::Next;
                Step::Skip(at + 1)
            }
            (State::After, Some(_)) => Step::Broken("no comma between two elements"),
            (_, Some(b',' | b']' | b'}' | b':')) => Step::Broken("an element is missing"),
            (_, Some(_)) => {
                self.state = State::Inside;
                self.value = Value::default();
                Step::Skip(at)
            }
        }
    }

    fn inside(&mut self, bytes: &[u8]) -> Step {
        match self.value.end(bytes) {
            Some(end) => {
                self.state = State::After;
                Step::Element(end)
            }
            None => Step::More,
        }
    }

    fn members(&mut self, bytes: &[u8]) -> Step {
        let (bytes, all) = members_of(bytes);
        let at = skip_space(bytes, 0);
        let seek = match bytes.get(at) {
            Some(b',') => seek(bytes, at + 1),
            Some(b'}') => Seek::End(at + 1),
            Some(_) => Seek::Not,
            None => Seek::More,
        };
        match seek {
            Seek::Array { key, after } => {
                self.head = [&b"{\""[..], key, b"\":["].concat().into();
                self.state = State::First;
                Step::Skip(after)
            }
            Seek::End(after) => Step::End(after),
            Seek::More if !all => Step::More,
            Seek::More => Step::Broken("too much after the array"),
            Seek::Not => Step::Broken("no json after the array"),
        }
    }

    /// Whether the bytes that were shown last are the beginning of an element.
    pub(crate) fn is_inside(&self) -> bool {
        self.state == State::Inside
    }

    /// All bytes that were shown have been put away although the element goes on.
    pub(crate) fn put_away(&mut self) {
        self.value.at = 0;
    }

    /// An element as a document of its own, as small as it can be with what came before the array.
    pub(crate) fn wrap(&self, element: &[u8]) -> Bytes {
        let mut document = BytesMut::with_capacity(self.head.len() + element.len() + 2);
        document.put_slice(&self.head);
        document.put_slice(element);
        document.put_slice(b"]}");
        document.freeze()
    }
}

/// The part of `bytes` in which members are looked for, and whether it is as much as is ever looked at.
fn members_of(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.get(..MEMBERS_BYTES_MAX) {
        Some(bytes) => (bytes, true),
        None => (bytes, false),
    }
}

/// What a search for the array among the members of a document found.
enum Seek<'a> {
    Array { key: &'a [u8], after: usize },
    End(usize),
    Not,
    More,
}

/// Searches from the place of a member's key on.
fn seek(bytes: &[u8], mut at: usize) -> Seek<'_> {
    loop {
        at = skip_space(bytes, at);
        match bytes.get(at) {
            Some(b'"') => {}
            Some(b'}') => return Seek::End(at + 1),
            Some(_) => return Seek::Not,
            None => return Seek::More,
        }
        let Some(end) = Value::default().end_from(bytes, at) else {
            return Seek::More;
        };
        let key = bytes.get(at + 1..end - 1).unwrap_or_default();
        at = skip_space(bytes, end);
        match bytes.get(at) {
            Some(b':') => at = skip_space(bytes, at + 1),
            Some(_) => return Seek::Not,
            None => return Seek::More,
        }
        if bytes.get(at) == Some(&b'[') && ARRAY_KEYS.contains(&key) {
            return Seek::Array { key, after: at + 1 };
        }
        match Value::default().end_from(bytes, at) {
            Some(end) if end == at => return Seek::Not,
            Some(end) => at = skip_space(bytes, end),
            None => return Seek::More,
        }
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'}') => return Seek::End(at + 1),
            Some(_) => return Seek::Not,
            None => return Seek::More,
        }
    }
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    at + rest.iter().take_while(|byte| is_space(byte)).count()
}

/// Looks for the end of one value. Its memory does not grow with nesting.
#[derive(Debug, Default)]
struct Value {
    /// How far it has looked.
    at: usize,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Value {
    fn end_from(mut self, bytes: &[u8], at: usize) -> Option<usize> {
        self.at = at;
        self.end(bytes)
    }

    /// Where the value ends; `None` when it goes on. Later calls go on where this one stopped.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.at).copied() {
            if self.in_string {
                if std::mem::take(&mut self.escaped) {
                    self.at += 1;
                    continue;
                }
                let rest = bytes.get(self.at..).unwrap_or_default();
                let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = bytes.len();
                    return None;
                };
                self.at += found + 1;
                if rest.get(found) == Some(&b'\\') {
                    self.escaped = true;
                } else {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => {
                    self.depth = 0;
                    self.at += 1;
                    return Some(self.at);
                }
                b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return Some(self.at),
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests;
