//! Sources of AWS, from their settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use streamalert_aws::{Access, Role, SdkConfig};
use streamalert_config::{KinesisInput, Settings, SourceAccess, SourceInput, StreamStart};
use streamalert_store::LeaseStore;
use streamalert_store::coordinator::CoordinatorOptions;
use streamalert_stream::{
    AwsS3, AwsSqs, HttpsFetch, KinesisOptions, KinesisSource, KinesisStart, QueueOptions, S3Options,
    S3Source, SnsOptions, SnsSource, SourceContext, SourceReader, SqsContent, SqsOptions, SqsSource,
};
use streamalert_types::Source;

use crate::assembly::Member;
use crate::failure::Failure;

/// A queue, and where and as whom it is read.
type QueuePlace = (String, SourceAccess);

/// Sources of AWS that are to be read. Those that share a queue or an address become one reader.
#[derive(Default)]
pub(crate) struct CloudSources {
    streams: Vec<(Arc<Source>, KinesisInput)>,
    buckets: BTreeMap<QueuePlace, Vec<Arc<Source>>>,
    logs: Vec<(QueuePlace, Arc<Source>)>,
    topics: BTreeMap<QueuePlace, Vec<(String, Arc<Source>)>>,
    posted: BTreeMap<SocketAddr, Vec<(String, Arc<Source>)>>,
}

/// What the readers are made with.
pub(crate) struct CloudParts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) member: &'a Member,
    pub(crate) leases: Arc<dyn LeaseStore>,
    pub(crate) context: SourceContext,
    /// Begins the sequences of pauses of this process.
    pub(crate) seed: u64,
}

impl CloudSources {
    /// Takes a source of AWS; `false` for any other.
    pub(crate) fn take(&mut self, source: &Arc<Source>, input: &SourceInput) -> bool {
        let source = source.clone();
        match input {
            SourceInput::Kinesis(input) => self.streams.push((source, input.clone())),
            SourceInput::S3 { queue, access } => {
                let place = (queue.clone(), access.clone());
                self.buckets.entry(place).or_default().push(source);
            }
            SourceInput::Sqs { queue, access } => self.logs.push(((queue.clone(), access.clone()), source)),
            SourceInput::SnsQueue { topic, queue, access } => {
                let place = (queue.clone(), access.clone());
                self.topics
                    .entry(place)
                    .or_default()
                    .push((topic.clone(), source));
            }
            SourceInput::SnsHttp { topic, address } => {
                self.posted
                    .entry(*address)
                    .or_default()
                    .push((topic.clone(), source));
            }
            SourceInput::Files { .. }
            | SourceInput::Directory { .. }
            | SourceInput::Stdin
            | SourceInput::Http { .. } => return false,
        }
        true
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
            && self.buckets.is_empty()
            && self.logs.is_empty()
            && self.topics.is_empty()
            && self.posted.is_empty()
    }

    /// Begins to read all of them.
    pub(crate) async fn open(self, parts: &CloudParts<'_>) -> Result<Vec<Box<dyn SourceReader>>, Failure> {
        self.check_queues()?;
        self.check_streams()?;
        let mut readers: Vec<Box<dyn SourceReader>> = Vec::new();
        for (source, input) in self.streams {
            readers.push(Box::new(Box::pin(parts.stream(&source, input)).await?));
        }
        for ((queue, access), buckets) in self.buckets {
            let config = Box::pin(parts.config(&access, &queue)).await?;
            let (api, name) = (find_queue(&config, &queue).await?, queue_name(&queue).to_owned());
            let options = S3Options {
                reading: parts.reading(),
                ..S3Options::new(name, buckets)
            };
            let s3 = Arc::new(AwsS3::new(&config));
            let context = parts.context.clone();
            readers.push(Box::new(S3Source::start(Arc::new(api), s3, options, context)));
        }
        for ((queue, access), source) in self.logs {
            let content = SqsContent::Logs(source);
            readers.push(Box::new(parts.queue(&queue, &access, content).await?));
        }
        for ((queue, access), topics) in self.topics {
            let content = SqsContent::Notifications(topics);
            readers.push(Box::new(parts.queue(&queue, &access, content).await?));
        }
        for (address, topics) in self.posted {
            let fetch = HttpsFetch::new().map_err(|error| Failure::while_doing("sns", error))?;
            let options = SnsOptions::new(address, topics);
            let reader = SnsSource::bind(options, Arc::new(fetch), parts.context.clone()).await;
            readers.push(Box::new(
                reader.map_err(|error| Failure::Other(error.to_string()))?,
            ));
        }
        Ok(readers)
    }

    /// Two streams under one name of leases would each be read from the other's places.
    fn check_streams(&self) -> Result<(), Failure> {
        let mut seen: BTreeMap<&str, (&Arc<Source>, &KinesisInput)> = BTreeMap::new();
        for (source, input) in &self.streams {
            let name = lease_name(input);
            let Some((other, others)) = seen.insert(name, (source, input)) else {
                continue;
            };
            return Err(Failure::Other(format!(
                "sources: {} and {} would share the leases named {name:?}; give one of them a lease_name of its own, \
                 or remove one if both are the same stream",
                told(other, others),
                told(source, input)
            )));
        }
        Ok(())
    }

    /// A queue whose messages mean two things would lose what the wrong reader takes.
    fn check_queues(&self) -> Result<(), Failure> {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let all = (self.buckets.keys().map(|(queue, _)| (queue, "s3")))
            .chain(self.logs.iter().map(|((queue, _), _)| (queue, "sqs")))
            .chain(self.topics.keys().map(|(queue, _)| (queue, "sns")));
        for (queue, kind) in all {
            if let Some(other) = seen.insert(queue, kind) {
                return Err(Failure::Other(format!(
                    "sources: queue {queue} has two readers, of {other} and of {kind}, which would take each \
                     other's messages; give each its own queue, and sources of one queue the same region and role"
                )));
            }
        }
        Ok(())
    }
}

impl CloudParts<'_> {
    async fn stream(&self, source: &Source, input: KinesisInput) -> Result<KinesisSource, Failure> {
        let options = KinesisOptions {
            // An ARN says its region itself, unless the source does.
            access: self.access(&input.access, &input.stream),
            cluster: source.cluster.clone(),
            start: match input.start {
                StreamStart::TrimHorizon => KinesisStart::TrimHorizon,
                StreamStart::Latest => KinesisStart::Latest,
            },
            consumer: input.consumer,
            lease_name: input.lease_name,
            leases: CoordinatorOptions {
                term: self.member.term,
                alone: self.member.alone,
                ..CoordinatorOptions::new(&self.member.id)
            },
            seed: self.seed,
            ..KinesisOptions::new(input.stream, &self.member.id)
        };
        let (access, name) = (options.access.clone(), options.stream.clone());
        let started = KinesisSource::start(options, self.leases.clone(), self.context.clone()).await;
        match started {
            Ok(source) => Ok(source),
            Err(error) => {
                let told = error.to_string();
                let hint = if told.contains("ResourceNotFoundException") {
                    missing_stream(&access, &name).await
                } else {
                    String::new()
                };
                Err(Failure::Other(told + &hint))
            }
        }
    }

    async fn queue(
        &self,
        queue: &str,
        access: &SourceAccess,
        content: SqsContent,
    ) -> Result<SqsSource, Failure> {
        let config = Box::pin(self.config(access, queue)).await?;
        let api = Arc::new(find_queue(&config, queue).await?);
        let options = SqsOptions {
            queue: queue_name(queue).to_owned(),
            content,
            reading: self.reading(),
        };
        Ok(SqsSource::start(api, options, &self.context.limits))
    }

    fn reading(&self) -> QueueOptions {
        QueueOptions {
            seed: self.seed,
            ..QueueOptions::default()
        }
    }

    fn access(&self, access: &SourceAccess, name: &str) -> Access {
        let aws = &self.settings.aws;
        let region = access
            .region
            .clone()
            .or_else(|| arn_region(name))
            .or_else(|| aws.region.clone());
        Access {
            region,
            endpoint_url: aws.endpoint_url.clone(),
            role: access.role_arn.clone().map(|arn| Role {
                arn,
                external_id: access.external_id.clone(),
            }),
        }
    }

    async fn config(&self, access: &SourceAccess, name: &str) -> Result<SdkConfig, Failure> {
        let config = self.access(access, name).config().await;
        match config.region() {
            Some(_) => Ok(config),
            None => Err(Failure::Other(format!(
                "sources: no region for {name}: set region beside it, or aws.region, or AWS_REGION in the environment"
            ))),
        }
    }
}

/// Under which name the leases of a stream are kept: the stream's own, however it is named, if it is given none.
fn lease_name(input: &KinesisInput) -> &str {
    let own = || match input.stream.rsplit_once(":stream/") {
        Some((_, name)) if input.stream.starts_with("arn:") => name,
        _ => &input.stream,
    };
    input.lease_name.as_deref().unwrap_or_else(own)
}

/// A stream as its settings say it.
fn told(source: &Source, input: &KinesisInput) -> String {
    let mut text = format!("source {source} (stream = {:?}", input.stream);
    for (key, value) in [
        ("region", &input.access.region),
        ("role_arn", &input.access.role_arn),
        ("lease_name", &input.lease_name),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(", {key} = {value:?}"));
        }
    }
    text + ")"
}

/// Where a stream was looked for that is not there. It is not made: how many shards, and for how long, is for its owner.
async fn missing_stream(access: &Access, stream: &str) -> String {
    let config = Box::pin(access.config()).await;
    let region = config
        .region()
        .map_or("no region", |region| region.as_ref())
        .to_owned();
    format!(
        "; there is no stream `{stream}` in {region}: make it, or mend resource, region \
         (aws.region goes before that of the cluster file and of conf/global.json) or role_arn; `aws init` makes tables only"
    )
}

/// The region of an ARN, `arn:aws:sqs:REGION:…`, or of a queue's URL, `https://sqs.REGION.amazonaws.com/…`.
fn arn_region(name: &str) -> Option<String> {
    let region = if name.starts_with("arn:") {
        name.split(':').nth(3)?
    } else {
        name.strip_prefix("https://sqs.")?.split_once(".amazonaws.com")?.0
    };
    (!region.is_empty()).then(|| region.to_owned())
}

/// The queue's own name, by which positions name it: the same however the settings name it.
fn queue_name(queue: &str) -> &str {
    let queue = queue.trim_end_matches('/');
    let after = |separator| queue.rsplit_once(separator).map_or(queue, |(_, name)| name);
    if queue.starts_with("arn:") {
        after(':')
    } else {
        after('/')
    }
}

async fn find_queue(config: &SdkConfig, queue: &str) -> Result<AwsSqs, Failure> {
    if queue.starts_with("http://") || queue.starts_with("https://") {
        return Ok(AwsSqs::new(config, queue));
    }
    AwsSqs::find(config, queue)
        .await
        .map_err(|fault| Failure::Other(format!("sources: queue {queue}: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_one_name_and_its_region_however_it_is_named() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q";
        let arn = "arn:aws:sqs:eu-west-1:123456789012:q";
        for name in [url, arn] {
            assert_eq!(queue_name(name), "q");
            assert_eq!(arn_region(name).as_deref(), Some("eu-west-1"));
        }
        assert_eq!((queue_name("q"), arn_region("q")), ("q", None));
    }

    #[test]
    fn two_kinds_of_messages_do_not_share_a_queue() {
        let mut sources = CloudSources::default();
        let source = |name: &str| {
            Arc::new(Source {
                service: "s3".into(),
                resource: name.into(),
                cluster: None,
            })
        };
        let s3 = SourceInput::S3 {
            queue: "q".to_owned(),
            access: SourceAccess::default(),
        };
        assert!(sources.take(&source("a"), &s3) && sources.take(&source("b"), &s3));
        assert!(sources.check_queues().is_ok());
        let sqs = SourceInput::Sqs {
            queue: "q".to_owned(),
            access: SourceAccess::default(),
        };
        sources.take(&source("c"), &sqs);
        assert!(sources.check_queues().is_err());
        assert!(!sources.take(&source("d"), &SourceInput::Stdin));
    }

    #[test]
    fn two_streams_of_one_name_need_two_names_of_leases() {
        let stream = |name: &str, arn: &str, lease_name: Option<&str>| {
            let source = Arc::new(Source {
                service: "kinesis".into(),
                resource: name.into(),
                cluster: None,
            });
            let input = KinesisInput {
                stream: arn.to_owned(),
                access: SourceAccess::default(),
                start: StreamStart::TrimHorizon,
                consumer: None,
                lease_name: lease_name.map(str::to_owned),
            };
            (source, SourceInput::Kinesis(input))
        };
        let check = |streams: &[(Arc<Source>, SourceInput)]| {
            let mut sources = CloudSources::default();
            for (source, input) in streams {
                assert!(sources.take(source, input));
            }
            sources.check_streams().map_err(|failure| failure.to_string())
        };
        let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/logs";
        let other = "arn:aws:kinesis:us-east-1:123456789012:stream/logs";
        let error = check(&[stream("logs", arn, None), stream("logs", other, None)]).unwrap_err();
        for part in [arn, other, "lease_name"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(check(&[stream("a", "logs", None), stream("b", arn, None)]).is_err());
        assert!(check(&[stream("a", "x", Some("logs")), stream("b", arn, None)]).is_err());
        assert!(check(&[stream("logs", arn, None), stream("logs", other, Some("logs-us"))]).is_ok());
        assert!(check(&[stream("a", "a", None), stream("b", "b", None)]).is_ok());
    }
}
