use std::fmt;
use std::sync::Arc;

use crate::Traceparent;

/// Where payloads come from, in StreamAlert's terms: a service (`kinesis`, `s3`, `sns`, `streamalert_app`), a
/// resource of it (stream, bucket, topic or app function name) and the cluster whose file names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The service, as the key under `data_sources` of a cluster file.
    pub service: Arc<str>,
    /// The resource, as the key under the service.
    pub resource: Arc<str>,
    /// The cluster's name; `None` where no cluster file is involved.
    pub cluster: Option<Arc<str>>,
}

/// The place of one payload within its source. Stable across restarts and redeliveries: alert ids hang on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// What is read in order: a shard id, an object key, a file's identity.
    pub partition: Arc<str>,
    /// The place within the partition.
    pub sequence: Sequence,
}

/// The place of a payload within its partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sequence {
    /// A byte offset or an index.
    Offset(u64),
    /// What the service calls it: a Kinesis sequence number, a message id.
    Token(Arc<str>),
}

/// Stands between the name of a partition and the trace of whoever sent what is in it.
const CALLER: &str = ";traceparent=";
/// A `traceparent` has 55 characters.
const CALLER_BYTES: usize = CALLER.len() + 55;

impl Position {
    /// The partition `name`, of payloads that were sent as part of a trace.
    #[must_use]
    pub fn partition_called(name: &str, caller: Traceparent) -> Arc<str> {
        format!("{name}{CALLER}{caller}").into()
    }

    /// The partition's own name, by which alerts and dead letters are named: what is sent again in another trace is
    /// the same.
    #[must_use]
    pub fn partition_name(&self) -> &str {
        match self.caller() {
            Some(_) => &self.partition[..self.partition.len() - CALLER_BYTES],
            None => &self.partition,
        }
    }

    /// The span of whoever sent the payload, if it was sent as part of a trace.
    #[must_use]
    pub fn caller(&self) -> Option<Traceparent> {
        let at = self.partition.len().checked_sub(CALLER_BYTES)?;
        let called = self.partition.get(at..)?.strip_prefix(CALLER)?;
        called.parse().ok()
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Token(token) => f.write_str(token),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.sequence)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.resource)
    }
}
