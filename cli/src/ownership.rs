//! Who works on what, as the lease table shows it.

use std::collections::BTreeMap;

use streamalert_store::Lease;
use streamalert_types::Timestamp;
use streamalert_value::Value;

use crate::explain::{integer, object, text};

/// Leases of one kind: `merger`, `dispatcher`, or `kinesis/<stream>`.
#[derive(Default)]
struct Kind<'a> {
    leases: Vec<&'a Lease>,
}

/// The leases by kind: how many, whose, and for streams how far each shard is read.
pub(crate) fn summary(leases: &[Lease]) -> Value {
    let mut kinds: BTreeMap<&str, Kind<'_>> = BTreeMap::new();
    // Which stream leases are of is nobody's work.
    for lease in leases.iter().filter(|lease| !lease.key.starts_with("stream/")) {
        let (kind, _) = lease.key.rsplit_once('/').unwrap_or(("", &lease.key));
        kinds.entry(kind).or_default().leases.push(lease);
    }
    Value::List(kinds.iter().map(|(name, kind)| kind.to_value(name)).collect())
}

impl Kind<'_> {
    fn to_value(&self, name: &str) -> Value {
        let mut nodes: BTreeMap<&str, Vec<&Lease>> = BTreeMap::new();
        for lease in &self.leases {
            if let Some(owner) = &lease.owner {
                nodes.entry(owner).or_default().push(lease);
            }
        }
        let free = self
            .leases
            .iter()
            .filter(|lease| lease.owner.is_none() && !lease.is_finished());
        let nodes = nodes.into_iter().map(|(node, leases)| {
            let address = leases.iter().find_map(|lease| lease.address.as_deref());
            let updated = leases.iter().map(|lease| lease.updated).max();
            object([
                ("node", text(node)),
                ("address", address.map_or(Value::Null, text)),
                ("leases", integer(leases.len() as u64)),
                ("updated", updated.map_or(Value::Null, |at| text(&at.to_string()))),
            ])
        });
        let shards: Vec<Value> = match name.starts_with("kinesis/") {
            true => self.leases.iter().map(|lease| shard(lease)).collect(),
            false => Vec::new(),
        };
        object([
            ("kind", text(name)),
            ("leases", integer(self.leases.len() as u64)),
            ("free", integer(free.count() as u64)),
            ("nodes", Value::List(nodes.collect())),
            ("shards", Value::List(shards)),
        ])
    }
}

fn shard(lease: &Lease) -> Value {
    let (_, id) = lease.key.rsplit_once('/').unwrap_or(("", &lease.key));
    let optional = |value: Option<&str>| value.map_or(Value::Null, text);
    let covered = lease.checkpoint.as_deref().and_then(covered);
    object([
        ("shard", text(id)),
        ("node", optional(lease.owner.as_deref())),
        ("checkpoint", optional(lease.checkpoint.as_deref())),
        ("finished", Value::Bool(lease.is_finished())),
        // Everything that arrived in the stream before this is acknowledged.
        ("covered", covered.map_or(Value::Null, |at| text(&at.to_string()))),
        ("updated", text(&lease.updated.to_string())),
    ])
}

/// The time behind the `@` of a checkpoint, in milliseconds since 1970: everything that arrived before is read.
fn covered(checkpoint: &str) -> Option<Timestamp> {
    let (_, millis) = checkpoint.rsplit_once('@')?;
    let micros = millis.parse::<i64>().ok()?.checked_mul(1000)?;
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(key: &str, owner: Option<&str>, checkpoint: Option<&str>) -> Lease {
        Lease {
            owner: owner.map(str::to_owned),
            address: owner.map(|owner| format!("{owner}:7413")),
            checkpoint: checkpoint.map(str::to_owned),
            ..Lease::free(key)
        }
    }

    #[test]
    fn leases_are_counted_by_kind_and_owner() {
        let leases = [
            lease("merger/0", Some("a"), None),
            lease("merger/1", Some("b"), None),
            lease("merger/2", Some("a"), None),
            lease("merger/3", None, None),
        ];
        let text = summary(&leases).to_json();
        assert!(text.contains(r#""kind":"merger","leases":4,"free":1"#), "{text}");
        assert!(
            text.contains(r#""node":"a","address":"a:7413","leases":2"#),
            "{text}"
        );
    }

    #[test]
    fn a_shard_of_a_stream_says_how_far_it_is_read() {
        let leases = [
            lease("kinesis/logs/shard-0", Some("a"), Some("4959#1@1700000000000")),
            lease("kinesis/logs/shard-1", None, Some("SHARD_END")),
        ];
        let text = summary(&leases).to_json();
        assert!(
            text.contains(r#""kind":"kinesis/logs","leases":2,"free":0"#),
            "{text}"
        );
        assert!(text.contains(r#""covered":"2023-11-14T22:13:20"#), "{text}");
        assert!(text.contains(r#""finished":true"#), "{text}");
    }
}
