use std::fmt;
use std::sync::Arc;

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
