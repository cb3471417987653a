use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::Access;
use streamalert_store::coordinator::CoordinatorOptions;

use crate::SourceError;

/// How a [`super::KinesisSource`] is set up.
#[derive(Debug, Clone)]
pub struct KinesisOptions {
    /// The stream, by name or by ARN. By ARN it may belong to another account.
    pub stream: String,
    /// Where AWS is, and as whom the stream is read. Unset, the region is that of the ARN.
    pub access: Access,
    /// The cluster whose file names the stream.
    pub cluster: Option<Arc<str>>,
    /// Where a stream is begun that has no checkpoints.
    pub start: KinesisStart,
    /// The name of an enhanced fan-out consumer, which is registered if it is not. Unset, the stream is polled. There
    /// is no falling back from one to the other: it would change the bill or the delay without a word.
    pub consumer: Option<String>,
    /// Under which name the leases of the shards are kept, `kinesis/<lease name>/<shard id>`; unset, the stream's.
    /// Two streams of one name, in two regions or accounts, must be given two names here.
    pub lease_name: Option<String>,
    /// How this node shares the shards with others.
    pub leases: CoordinatorOptions,
    /// The pause between two reads of a shard that has more. Kinesis allows five reads a second for each shard, over
    /// all who poll it.
    pub poll_interval: Duration,
    /// The pause after a read that found a shard to have nothing new.
    pub idle_interval: Duration,
    /// How often the stream is asked for its shards; it is asked at once, too, when a shard ends.
    pub list_interval: Duration,
    /// How much one read of a shard brings at most, as far as the size of its records can be foreseen. Kinesis gives
    /// 2 MB a second for each shard.
    pub page_bytes_max: usize,
    /// How long a shard that is handed over waits for its payloads to be acknowledged; the others are read again by
    /// whoever goes on.
    pub hand_over_timeout: Duration,
    /// Begins the sequence that the lengths of pauses after failures are drawn from. Different in every process, so
    /// that those that were throttled together do not return together.
    pub seed: u64,
}

/// Where a stream is begun that has no checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KinesisStart {
    /// With the oldest record that the stream holds.
    #[default]
    TrimHorizon,
    /// With what arrives from now on. What arrived in the five minutes before is read as well, since our clock and
    /// that of AWS may be apart by as much.
    Latest,
}

impl KinesisOptions {
    /// The defaults, for `node` among others that may share the stream.
    #[must_use]
    pub fn new(stream: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            access: Access::default(),
            cluster: None,
            start: KinesisStart::TrimHorizon,
            consumer: None,
            lease_name: None,
            leases: CoordinatorOptions::new(node),
            poll_interval: Duration::from_millis(250),
            idle_interval: Duration::from_secs(1),
            list_interval: Duration::from_secs(60),
            page_bytes_max: 2 << 20,
            hand_over_timeout: Duration::from_secs(10),
            seed: 0,
        }
    }
}

/// A stream as its settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamId {
    pub(super) name: String,
    /// The ARN and its region, if it was named by that.
    pub(super) arn: Option<(String, String)>,
}

impl StreamId {
    /// Reads a name, or an ARN of the form `arn:<partition>:kinesis:<region>:<account>:stream/<name>`.
    pub(super) fn parse(text: &str) -> Result<Self, SourceError> {
        let wrong = |what: &str| SourceError::Settings {
            reason: format!("kinesis stream {text:?} is not {what}"),
        };
        let is_name = |name: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            (1..=128).contains(&name.len()) && name.bytes().all(known)
        };
        if !text.starts_with("arn:") {
            let name = is_name(text).then(|| text.to_owned());
            let name = name.ok_or_else(|| wrong("a name: 1 to 128 of a-z, A-Z, 0-9, _, . and -"))?;
            return Ok(Self { name, arn: None });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            [_, _, "kinesis", region, account, resource] if !region.is_empty() && !account.is_empty() => {
                let name = resource.strip_prefix("stream/").filter(|name| is_name(name));
                let name = name.ok_or_else(|| wrong("the ARN of a stream"))?;
                Ok(Self {
                    name: name.to_owned(),
                    arn: Some((text.to_owned(), region.to_owned())),
                })
            }
            _ => Err(wrong("the ARN of a stream")),
        }
    }

    /// `access` with the region that the stream is in.
    pub(super) fn access(&self, access: &Access) -> Result<Access, SourceError> {
        let Some((arn, home)) = &self.arn else {
            return Ok(access.clone());
        };
        match &access.region {
            Some(region) if region != home => Err(SourceError::Settings {
                reason: format!("kinesis stream {arn} is not in the region {region}"),
            }),
            _ => Ok(Access {
                region: Some(home.clone()),
                ..access.clone()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_name_or_arn() {
        let by_name = StreamId::parse("prod_logs.v1-x").unwrap();
        assert_eq!((&*by_name.name, by_name.arn), ("prod_logs.v1-x", None));
        let arn = "arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/logs";
        let by_arn = StreamId::parse(arn).unwrap();
        assert_eq!(by_arn.name, "logs");
        assert_eq!(by_arn.arn, Some((arn.to_owned(), "us-gov-west-1".to_owned())));
    }

    #[test]
    fn what_names_no_stream_is_refused() {
        for text in [
            "",
            "a b",
            "ü",
            "arn:aws:sqs:us-east-1:1:logs",
            "arn:aws:kinesis:us-east-1:1:stream/logs/consumer/c:1",
            "arn:aws:kinesis::1:stream/logs",
            "arn:aws:kinesis",
            "arn:",
        ] {
            assert!(StreamId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_region_is_that_of_the_arn_and_another_is_refused() {
        let stream = StreamId::parse("arn:aws:kinesis:eu-west-1:1:stream/logs").unwrap();
        let mut access = Access::default();
        assert_eq!(
            stream.access(&access).unwrap().region.as_deref(),
            Some("eu-west-1")
        );
        access.region = Some("eu-west-1".to_owned());
        assert!(stream.access(&access).is_ok());
        access.region = Some("us-east-1".to_owned());
        assert!(stream.access(&access).is_err());
    }
}
