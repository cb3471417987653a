use std::collections::VecDeque;
use std::sync::Arc;

use streamalert_types::Alert;
use streamalert_value::{Doc, Kind, NodeRef, Value, decode_json_bytes};

use crate::NORMALIZATION_KEY;

/// Bytes of parser buffers kept from one record to the next.
const BUFFERS_KEPT_BYTES: usize = 1 << 20;

/// The record of an alert is not a JSON object that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("alert record unreadable: {reason}")]
pub struct UnreadableRecord {
    /// What is wrong with it.
    pub reason: String,
}

/// Reads merge keys, with buffers that are used again.
#[derive(Debug, Default)]
pub struct KeyReader {
    doc: Doc,
    text: Vec<u8>,
}

impl KeyReader {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The canonical text of an alert's merge keys and their values: equal for alerts that belong together by
    /// Python's `==`, whatever the order of the keys in the rule. A missing key counts as null.
    ///
    /// A value of NaN equals nothing, itself included; such an alert gets a text of its own. (NaN inside a list
    /// or dictionary does equal NaN: CPython's `json` hands out one NaN object, and containers compare their
    /// items by identity first.)
    ///
    /// # Errors
    /// [`UnreadableRecord`] when the record is not a JSON object.
    pub fn merge_key(&mut self, alert: &Alert) -> Result<Arc<[u8]>, UnreadableRecord> {
        let unreadable = |reason: String| UnreadableRecord { reason };
        let source = decode_json_bytes(&alert.record).map_err(|error| unreadable(error.to_string()))?;
        let record = self
            .doc
            .parse(&source)
            .map_err(|error| unreadable(error.to_string()))?
            .root();
        if record.kind() != Kind::Map {
            return Err(unreadable("not an object".to_owned()));
        }
        let mut keys: Vec<&String> = alert.merge_by_keys.iter().collect();
        keys.sort_unstable();
        keys.dedup();
        self.text.clear();
        if alert.staged {
            self.text.extend_from_slice(b"staged ");
        }
        let mut alone = false;
        for key in keys {
            // The name's length makes the list of (name, value) unambiguous; values are self-delimiting.
            self.text
                .extend_from_slice(format!("{}:{key}=", key.len()).as_bytes());
            let value = first_key(record, key).map_or(Value::Null, NodeRef::to_value);
            alone |= matches!(value, Value::Float(float) if float.is_nan());
            value.equality_key(&mut self.text);
        }
        if alone {
            self.text.extend_from_slice(alert.id.to_string().as_bytes());
        }
        let key = Arc::from(self.text.as_slice());
        self.doc.shrink_to(BUFFERS_KEPT_BYTES);
        self.text.shrink_to(BUFFERS_KEPT_BYTES);
        Ok(key)
    }
}

/// The first value under `key`, searched breadth first through dictionaries and lists in order, leaving out
/// what is under `streamalert_normalization`. StreamAlert's `get_first_key`.
#[must_use]
pub fn first_key<'a>(record: NodeRef<'a>, key: &str) -> Option<NodeRef<'a>> {
    let mut queue = VecDeque::new();
    let mut next = Some(record);
    while let Some(node) = next {
        if let Some(value) = node.get(key) {
            return Some(value);
        }
        queue.extend(node.items().filter(is_container));
        let searched = node
            .members()
            .filter(|(name, value)| is_container(value) && !name.is_key(NORMALIZATION_KEY));
        queue.extend(searched.map(|(_, value)| value));
        next = queue.pop_front();
    }
    None
}

fn is_container(node: &NodeRef<'_>) -> bool {
    matches!(node.kind(), Kind::Map | Kind::List)
}
