use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use streamalert_types::Source;

use super::section::{HasKind, Kind, section};

/// `type` of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceType {
    #[default]
    Files,
    Directory,
    Stdin,
    Http,
    Kinesis,
    S3,
    Sqs,
    Sns,
}

impl HasKind for SourceType {
    const KIND: Kind = Kind::Choice(&[
        "files",
        "directory",
        "stdin",
        "http",
        "kinesis",
        "s3",
        "sqs",
        "sns",
    ]);
}

/// Where a Kinesis stream is begun that nobody has read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamStart {
    /// With the oldest record that it holds.
    #[default]
    TrimHorizon,
    /// With what arrives from now on.
    Latest,
}

impl HasKind for StreamStart {
    const KIND: Kind = Kind::Choice(&["trim-horizon", "latest"]);
}

section! {
    /// Where logs come from, one table per source. `service`, `resource` and `cluster` say which entry of
    /// `data_sources` in `conf/clusters` it stands for, and so which log types are expected.
    pub(crate) struct SourceTable {
        /// `files`: whole files, each read to its end once; `directory`: files that appear and grow, followed;
        /// `stdin`: standard input; `http`: requests with one record per line; `kinesis`: a data stream; `s3`: objects
        /// of a bucket that tells a queue of them; `sqs`: the messages of a queue; `sns`: the notifications of a topic.
        r#type: SourceType = SourceType::Files,
        /// `files`: a path or glob such as `logs/*.json.gz`; `directory`: the directory.
        path: Option<String> = None,
        /// `http`, `sns`: the address to listen on.
        address: Option<SocketAddr> = None,
        /// `kinesis`, `s3`, `sns` or `streamalert_app`: how payloads are wrapped. Unset: as `type` says, if it is one of
        /// these.
        service: String = String::new(),
        /// Stream, bucket, topic or app function name.
        resource: String = String::new(),
        /// Cluster file that names the resource. Unset: the only one that does.
        cluster: Option<String> = None,
        /// `kinesis`: ARN of the stream, where it belongs to another account or region. Its name must be `resource`.
        stream: Option<String> = None,
        /// `kinesis`: where a stream is begun that has no checkpoints: `trim-horizon`, with the oldest record, or
        /// `latest`.
        start: Option<StreamStart> = None,
        /// `kinesis`: name of an enhanced fan-out consumer, which is registered if it is not. Unset: the stream is
        /// polled.
        consumer: Option<String> = None,
        /// `kinesis`: name under which its leases are kept. Two streams of one name, in two regions or accounts, need
        /// two. Unset: the stream's.
        lease_name: Option<String> = None,
        /// `s3`, `sqs`, `sns`: URL, ARN or name of the queue. Several sources may share one, unless it is of type `sqs`.
        queue: Option<String> = None,
        /// `sns`: ARN of the topic.
        topic: Option<String> = None,
        /// `kinesis`, `s3`, `sqs`, `sns`: the region. Unset: that of the ARN, else `aws.region`.
        region: Option<String> = None,
        /// `kinesis`, `s3`, `sqs`, `sns`: a role to assume, for resources of another account.
        role_arn: Option<String> = None,
        /// The external id that the role's trust policy asks for.
        external_id: Option<String> = None,
    }
}

/// One source of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// What it is in StreamAlert's terms.
    pub source: Source,
    /// How it is read.
    pub input: SourceInput,
}

/// Where a resource of AWS is, and as whom it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SourceAccess {
    /// The region; that of its ARN or of `aws.region` where unset.
    pub region: Option<String>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// The external id for it.
    pub external_id: Option<String>,
}

/// A Kinesis stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinesisInput {
    /// Name or ARN.
    pub stream: String,
    /// Where it is begun.
    pub start: StreamStart,
    /// The enhanced fan-out consumer; polled without one.
    pub consumer: Option<String>,
    /// The name of its leases, if not the stream's.
    pub lease_name: Option<String>,
    /// Where it is.
    pub access: SourceAccess,
}

/// How a source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceInput {
    /// Files that a path or glob names, each to its end.
    Files {
        /// The path or glob.
        glob: String,
    },
    /// A directory whose files appear and grow.
    Directory {
        /// The directory.
        dir: PathBuf,
    },
    /// Standard input.
    Stdin,
    /// HTTP requests.
    Http {
        /// The address to listen on.
        address: SocketAddr,
    },
    /// A Kinesis stream.
    Kinesis(KinesisInput),
    /// Objects of the bucket that is the source's resource.
    S3 {
        /// URL, ARN or name of the queue that hears of them.
        queue: String,
        /// Where queue and bucket are.
        access: SourceAccess,
    },
    /// The messages of a queue.
    Sqs {
        /// Its URL, ARN or name.
        queue: String,
        /// Where it is.
        access: SourceAccess,
    },
    /// The notifications of a topic, through a queue.
    SnsQueue {
        /// ARN of the topic.
        topic: String,
        /// URL, ARN or name of the queue that is subscribed to it.
        queue: String,
        /// Where the queue is.
        access: SourceAccess,
    },
    /// The notifications of a topic, by requests of SNS.
    SnsHttp {
        /// ARN of the topic.
        topic: String,
        /// The address to listen on.
        address: SocketAddr,
    },
}

impl SourceInput {
    /// Whether it is a resource of AWS.
    #[must_use]
    pub const fn is_aws(&self) -> bool {
        !matches!(
            self,
            Self::Files { .. } | Self::Directory { .. } | Self::Stdin | Self::Http { .. }
        )
    }
}

/// What is wrong with a table: key, message and fix; the key is empty when it is the table as a whole.
pub(super) type Wrong = (&'static str, String, String);

fn missing(key: &str, fix: &str) -> Wrong {
    ("", format!("has no {key}"), fix.to_owned())
}

const AWS_KEYS: [&str; 3] = ["region", "role_arn", "external_id"];

impl SourceType {
    /// Keys that mean something to it, besides `type`, `service`, `resource`, `cluster` and those of all AWS resources.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Files | Self::Directory => &["path"],
            Self::Stdin => &[],
            Self::Http => &["address"],
            Self::Kinesis => &["stream", "start", "consumer", "lease_name"],
            Self::S3 | Self::Sqs => &["queue"],
            Self::Sns => &["queue", "topic", "address"],
        }
    }

    fn is_aws(self) -> bool {
        matches!(self, Self::Kinesis | Self::S3 | Self::Sqs | Self::Sns)
    }

    /// The service whose resources it reads, if there is only one.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Kinesis => Some("kinesis"),
            Self::S3 => Some("s3"),
            Self::Sns => Some("sns"),
            _ => None,
        }
    }
}

impl SourceTable {
    /// The source that this table describes, or key, message and fix of what is wrong with it.
    pub(super) fn settings(&self) -> Result<SourceSettings, Wrong> {
        let service = match (self.service.as_str(), self.r#type.service()) {
            ("", Some(service)) => service,
            (service, Some(own)) if service != own => {
                let message = format!("{service:?} does not come from {own}");
                return Err(("service", message, format!("write {own:?}, or leave it out")));
            }
            (service, _) => service,
        };
        for (key, value) in [("service", service), ("resource", &self.resource)] {
            if value.is_empty() {
                let fix = "set service and resource as in data_sources of conf/clusters";
                return Err(missing(key, fix));
            }
        }
        self.stray()?;
        let source = Source {
            service: service.into(),
            resource: self.resource.as_str().into(),
            cluster: self.cluster.as_deref().map(Arc::from),
        };
        let input = self.input()?;
        Ok(SourceSettings { source, input })
    }

    /// Complains about a key that is set and means nothing.
    fn stray(&self) -> Result<(), Wrong> {
        let given = [
            ("path", self.path.is_some()),
            ("address", self.address.is_some()),
            ("stream", self.stream.is_some()),
            ("start", self.start.is_some()),
            ("consumer", self.consumer.is_some()),
            ("lease_name", self.lease_name.is_some()),
            ("queue", self.queue.is_some()),
            ("topic", self.topic.is_some()),
            ("region", self.region.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("external_id", self.external_id.is_some()),
        ];
        let (takes, aws) = (self.r#type.keys(), self.r#type.is_aws());
        let means_something = |key: &str| takes.contains(&key) || (aws && AWS_KEYS.contains(&key));
        match given.iter().find(|(key, set)| *set && !means_something(key)) {
            Some((key, _)) => {
                let message = "means nothing to this type of source".to_owned();
                Err((*key, message, "remove it".to_owned()))
            }
            None => Ok(()),
        }
    }

    fn input(&self) -> Result<SourceInput, Wrong> {
        let path = || self.path.clone().ok_or_else(|| missing("path", "set path"));
        let address = || self.address.ok_or_else(|| missing("address", "set address"));
        let access = self.access()?;
        Ok(match self.r#type {
            SourceType::Files => SourceInput::Files { glob: path()? },
            SourceType::Directory => SourceInput::Directory { dir: path()?.into() },
            SourceType::Stdin => SourceInput::Stdin,
            SourceType::Http => SourceInput::Http { address: address()? },
            SourceType::Kinesis => SourceInput::Kinesis(KinesisInput {
                stream: self.stream()?,
                start: self.start.unwrap_or_default(),
                consumer: self.consumer.clone(),
                lease_name: self.lease_name.clone(),
                access,
            }),
            SourceType::S3 => SourceInput::S3 {
                queue: self.queue("the queue that the bucket's notifications go to")?,
                access,
            },
            SourceType::Sqs => SourceInput::Sqs {
                queue: self.queue("the queue")?,
                access,
            },
            SourceType::Sns => self.sns(access)?,
        })
    }

    /// Log types are looked up by the stream's name, so it must be that of the cluster file.
    fn stream(&self) -> Result<String, Wrong> {
        let Some(stream) = &self.stream else {
            return Ok(self.resource.clone());
        };
        let name = stream
            .rsplit_once(":stream/")
            .map_or(stream.as_str(), |(_, name)| name);
        if name == self.resource {
            return Ok(stream.clone());
        }
        let message = format!("{name:?} is not the resource {:?}", self.resource);
        let fix =
            "write the ARN of a stream of that name, or name the stream in resource and in conf/clusters";
        Err(("stream", message, fix.to_owned()))
    }

    fn queue(&self, what: &str) -> Result<String, Wrong> {
        match self.queue.as_deref() {
            Some(queue) if !queue.is_empty() => Ok(queue.to_owned()),
            _ => Err(missing(
                "queue",
                &format!("set queue to URL, ARN or name of {what}"),
            )),
        }
    }

    fn sns(&self, access: SourceAccess) -> Result<SourceInput, Wrong> {
        let topic = match self.topic.as_deref() {
            Some(topic) if topic.starts_with("arn:") && topic.contains(":sns:") => topic.to_owned(),
            Some(topic) => {
                let message = format!("{topic:?} is not the ARN of a topic");
                return Err((
                    "topic",
                    message,
                    "write arn:aws:sns:REGION:ACCOUNT:NAME".to_owned(),
                ));
            }
            None => return Err(missing("topic", "set topic to the ARN of the topic")),
        };
        match (&self.queue, self.address) {
            (Some(_), Some(_)) => Err((
                "address",
                "stands beside queue, and notifications come by one of them".to_owned(),
                "remove one of them".to_owned(),
            )),
            (None, Some(_)) if access != SourceAccess::default() => Err((
                "address",
                "is called by SNS, which takes neither region nor role".to_owned(),
                "remove region, role_arn and external_id".to_owned(),
            )),
            (None, Some(address)) => Ok(SourceInput::SnsHttp { topic, address }),
            (_, None) => Ok(SourceInput::SnsQueue {
                topic,
                queue: self
                    .queue("the queue that is subscribed to the topic, or address to be called by SNS")?,
                access,
            }),
        }
    }

    fn access(&self) -> Result<SourceAccess, Wrong> {
        if let Some(role) = &self.role_arn
            && !(role.starts_with("arn:") && role.contains(":role/"))
        {
            let message = format!("{role:?} is not the ARN of a role");
            return Err((
                "role_arn",
                message,
                "write arn:aws:iam::ACCOUNT:role/NAME".to_owned(),
            ));
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            let message = "means nothing without a role".to_owned();
            return Err(("external_id", message, "set role_arn, or remove it".to_owned()));
        }
        Ok(SourceAccess {
            region: self.region.clone(),
            role_arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
        })
    }
}
