use std::sync::Arc;

use streamalert_types::{Alert, AlertId, GroupId, ShardId};

use super::{KeyReader, UnreadableRecord};

/// The longest merge-key text kept as it is; a longer one is replaced by its hash. Merge keys are host names,
/// users and addresses; a whole document as a merge key must not fill the memory.
const KEY_BYTES_MAX: usize = 256;

/// What alerts of one group have in common. All groups of a rule and merge-key values, one after the other, have
/// the same.
#[derive(Debug, Clone)]
pub struct GroupKey {
    /// Hash of the rule and the text: what the store notes the members under.
    pub group: GroupId,
    /// Canonical text of the merge-key values, or its hash when it is long.
    pub text: Arc<[u8]>,
}

impl GroupKey {
    /// The key of alerts of `rule` whose merge-key values have the canonical text `text`.
    #[must_use]
    pub fn new(rule: &str, text: Arc<[u8]>) -> Self {
        let text = if text.len() > KEY_BYTES_MAX {
            Arc::from(blake3::hash(&text).to_hex().as_bytes())
        } else {
            text
        };
        // No alert has the id 0, so this is no id of a group that closes.
        Self {
            group: GroupId::new(rule, &text, AlertId::from_u128(0)),
            text,
        }
    }
}

/// An alert with its place.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The alert.
    pub alert: Arc<Alert>,
    /// The shard that it belongs to.
    pub shard: ShardId,
    /// The group that it belongs to; `None` when it goes straight to its outputs.
    pub group: Option<GroupKey>,
}

/// Finds the place of alerts. Its buffers are used again from one alert to the next.
///
/// Rules-nodes ask it where to send an alert, and mergers ask it again where an alert belongs that they were sent: a
/// rules-node of another version, or with another number of shards, meets a refusal and no misplaced alert.
#[derive(Debug)]
pub struct Router {
    shards: u16,
    keys: KeyReader,
}

impl Router {
    /// A router for a deployment of so many virtual shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        Self {
            shards: shards.max(1),
            keys: KeyReader::new(),
        }
    }

    /// The place of `alert`: the shard of its rule and merge key when it is to be merged, else of its id.
    /// An alert whose record cannot be read is not merged but delivered as it is; the reason comes second.
    pub fn route(&mut self, alert: Arc<Alert>) -> (Routed, Option<UnreadableRecord>) {
        let (group, problem) = match alert.merge_enabled().then(|| self.keys.merge_key(&alert)) {
            Some(Ok(text)) => (Some(GroupKey::new(&alert.rule_name, text)), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let bits = group
            .as_ref()
            .map_or(alert.id.as_u128(), |key| key.group.as_u128());
        (
            Routed {
                shard: self.shard(bits),
                group,
                alert,
            },
            problem,
        )
    }

    /// The low 62 bits are hash in both kinds of id; the marks of a UUID are above them.
    fn shard(&self, bits: u128) -> ShardId {
        let shard = (bits & u128::from(u64::MAX >> 2)) % u128::from(self.shards);
        ShardId(u16::try_from(shard).expect("a remainder of a u16 fits a u16"))
    }
}

#[cfg(test)]
mod tests;
