//! SQS and S3 as an emulator of AWS plays them.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the answer")]

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration, TopicConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use streamalert_aws::{FaultKind, SdkConfig};
use streamalert_store::MemoryStore;
use streamalert_stream::{
    AwsS3, AwsSqs, Payload, PayloadForm, QueueOptions, S3Options, S3Source, SourceContext, SourceLimits,
    SourceReader, SqsContent, SqsOptions, SqsSource,
};
use streamalert_testkit::emulator::{Emulator, account, ministack};
use streamalert_types::{ManualClock, Source, Timestamp};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);

fn named(service: &str, resource: &str) -> Arc<Source> {
    Arc::new(Source {
        service: service.into(),
        resource: resource.into(),
        cluster: Some("prod".into()),
    })
}

/// Quick, for tests.
fn reading() -> QueueOptions {
    QueueOptions {
        visibility: Duration::from_secs(3),
        wait: Duration::from_secs(1),
        ..QueueOptions::default()
    }
}

struct World {
    emulator: &'static Emulator,
    account: String,
    /// Buckets belong to all accounts together.
    bucket: String,
    config: SdkConfig,
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    queue: AwsSqs,
    store: Arc<MemoryStore>,
}

impl World {
    /// A fresh account with a queue called `queue` and a bucket called `bucket`.
    async fn new() -> Option<Self> {
        let emulator = ministack().await?;
        let account = account();
        let config = emulator.config(&account).await;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(s3.build());
        sqs.create_queue().queue_name("queue").send().await.unwrap();
        let bucket = format!("bucket-{account}");
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        let queue = AwsSqs::find(&config, "queue").await.unwrap();
        Some(Self {
            emulator,
            account,
            bucket,
            config,
            sqs,
            s3,
            queue,
            store: Arc::new(MemoryStore::new()),
        })
    }

    fn queue_arn(&self) -> String {
        format!("arn:aws:sqs:us-east-1:{}:queue", self.account)
    }

    async fn send(&self, body: &str) {
        let asked = self.sqs.send_message().queue_url(self.queue.url());
        asked.message_body(body).send().await.unwrap();
    }

    /// Messages in the queue, hidden ones included.
    async fn left(&self) -> usize {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = self.sqs.get_queue_attributes().queue_url(self.queue.url());
        let answer = asked
            .set_attribute_names(Some(names.clone().into()))
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap_or_default();
        names
            .iter()
            .map(|name| attributes[name].parse::<usize>().unwrap())
            .sum()
    }

    async fn emptied(&self) {
        while self.left().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn logs(&self) -> SqsSource {
        let options = SqsOptions {
            queue: "queue".to_owned(),
            content: SqsContent::Logs(named("sqs", "queue")),
            reading: reading(),
        };
        SqsSource::start(Arc::new(self.queue.clone()), options, &SourceLimits::default())
    }

    fn objects(&self, limits: SourceLimits) -> S3Source {
        let options = S3Options {
            reading: reading(),
            ..S3Options::new("queue", vec![named("s3", &self.bucket)])
        };
        let context = SourceContext {
            checkpoints: self.store.clone(),
            clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
            limits,
        };
        let s3 = Arc::new(AwsS3::new(&self.config));
        S3Source::start(Arc::new(self.queue.clone()), s3, options, context)
    }

    async fn notify(&self, configuration: NotificationConfiguration) {
        let asked = self
            .s3
            .put_bucket_notification_configuration()
            .bucket(&self.bucket);
        asked
            .notification_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    async fn notify_queue(&self) {
        let queue = QueueConfiguration::builder()
            .queue_arn(self.queue_arn())
            .events(Event::S3ObjectCreated);
        let configuration = NotificationConfiguration::builder().queue_configurations(queue.build().unwrap());
        self.notify(configuration.build()).await;
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        let asked = self.s3.put_object().bucket(&self.bucket).key(key);
        asked.body(body.into()).send().await.unwrap();
    }

    /// Asks SNS, for which there is no SDK here.
    async fn sns(&self, query: &str) {
        let scope = format!("{}/20261122/us-east-1/sns/aws4_request", self.account);
        let asked = reqwest::Client::new()
            .post(self.emulator.endpoint())
            .header("content-type", "application/x-www-form-urlencoded")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(format!("{query}&Version=2010-03-31"));
        let answer = asked.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status} {}", answer.text().await.unwrap());
    }
}

async fn take(source: &mut impl SourceReader) -> Payload {
    let next = tokio::time::timeout(PATIENCE, source.next()).await;
    next.expect("in time").unwrap().unwrap()
}

#[tokio::test]
async fn every_message_of_a_queue_is_read_once_and_deleted() {
    let Some(world) = World::new().await else { return };
    for n in 0..25 {
        world.send(&format!("message {n}")).await;
    }
    let mut source = world.logs();
    let mut seen = BTreeSet::new();
    let mut places = BTreeSet::new();
    for _ in 0..25 {
        let payload = take(&mut source).await;
        assert_eq!(payload.form, PayloadForm::Message);
        seen.insert(payload.body.clone());
        places.insert(payload.position.to_string());
        payload.token.ack();
    }
    assert_eq!((seen.len(), places.len()), (25, 25));
    let progress = Box::new(source).finish().await.unwrap();
    assert_eq!((progress.payloads_read, progress.payloads_open), (25, 0));
    world.emptied().await;
}

#[tokio::test]
async fn a_message_that_is_worked_on_stays_hidden_and_one_that_was_received_too_often_is_unreadable() {
    let Some(world) = World::new().await else { return };
    world.send("slow").await;
    let mut source = world.logs();
    let payload = take(&mut source).await;
    let place = payload.position.clone();
    let other = world
        .sqs
        .receive_message()
        .queue_url(world.queue.url())
        .wait_time_seconds(8);
    assert!(
        other.send().await.unwrap().messages().is_empty(),
        "hidden for 3 s, and extended"
    );
    drop(payload);
    for _ in 0..5 {
        Box::new(source).finish().await.unwrap();
        source = world.logs();
        let again = take(&mut source).await;
        assert_eq!(again.position, place);
        if let PayloadForm::Unreadable { reason } = &again.form {
            assert!(reason.contains("and never finished"), "{reason}");
            again.token.ack();
            world.emptied().await;
            return;
        }
    }
    panic!("it is never taken for poison");
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told_with_the_action() {
    let Some(world) = World::new().await else { return };
    let fault = AwsSqs::find(&world.config, "nobody").await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.action),
        (FaultKind::NotFound, "sqs:GetQueueUrl"),
        "{fault}"
    );
    let found = AwsSqs::find(&world.config, &world.queue_arn()).await.unwrap();
    assert_eq!(found.url(), world.queue.url());
    let gone = AwsSqs::new(&world.config, format!("{}-gone", world.queue.url()));
    let options = SqsOptions {
        queue: "gone".to_owned(),
        content: SqsContent::Logs(named("sqs", "gone")),
        reading: reading(),
    };
    let mut source = SqsSource::start(Arc::new(gone), options, &SourceLimits::default());
    let error = source.next().await.unwrap_err();
    assert!(
        error.to_string().starts_with("sqs:gone: sqs:ReceiveMessage: "),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn objects_are_read_that_notifications_tell_of_directly_and_through_sns() {
    let Some(world) = World::new().await else { return };
    world.notify_queue().await;
    world.put("logs/a b+é.json", b"{\"n\":1}\n".to_vec()).await;
    let mut source = world.objects(SourceLimits::default());
    let payload = take(&mut source).await;
    assert_eq!(
        (&payload.body[..], &payload.form),
        (&b"{\"n\":1}\n"[..], &PayloadForm::Object)
    );
    assert!(
        payload.position.partition.starts_with("logs/a b+é.json#"),
        "{}",
        payload.position
    );
    assert_eq!(payload.source, named("s3", &world.bucket));
    payload.token.ack();
    world.emptied().await;

    let topic = format!("arn:aws:sns:us-east-1:{}:topic", world.account);
    world.sns("Action=CreateTopic&Name=topic").await;
    let queue = world.queue_arn();
    world
        .sns(&format!(
            "Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={queue}"
        ))
        .await;
    let through = TopicConfiguration::builder()
        .topic_arn(topic)
        .events(Event::S3ObjectCreated);
    let configuration = NotificationConfiguration::builder().topic_configurations(through.build().unwrap());
    world.notify(configuration.build()).await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"n\":2}\n").unwrap();
    world.put("two.gz", packed.finish().unwrap()).await;
    let payload = take(&mut source).await;
    assert_eq!(&payload.body[..], b"{\"n\":2}\n");
    payload.token.ack();
    world.emptied().await;
    Box::new(source).finish().await.unwrap();
}

#[tokio::test]
async fn an_object_that_is_gone_is_a_dead_letter_in_the_end() {
    let Some(world) = World::new().await else { return };
    let place = format!(
        r#"{{"bucket":{{"name":"{}"}},"object":{{"key":"gone"}}}}"#,
        world.bucket
    );
    let told = format!(r#"{{"Records":[{{"eventName":"ObjectCreated:Put","s3":{place}}}]}}"#);
    world.send(&told).await;
    let options = S3Options {
        reading: reading(),
        missing_retry: Duration::from_secs(1),
        ..S3Options::new("queue", vec![named("s3", &world.bucket)])
    };
    let context = SourceContext {
        checkpoints: world.store.clone(),
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        limits: SourceLimits::default(),
    };
    let s3 = Arc::new(AwsS3::new(&world.config));
    let mut source = S3Source::start(Arc::new(world.queue.clone()), s3, options, context);
    let letter = take(&mut source).await;
    let PayloadForm::Unreadable { reason } = &letter.form else {
        panic!("{letter:?}")
    };
    assert!(
        reason.contains("tried 3 times: s3:GetObject: NoSuchKey"),
        "{reason}"
    );
    letter.token.ack();
    world.emptied().await;
}

/// Of this process, in bytes.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_document_of_200_mb_is_read_in_bounded_memory_and_goes_on_after_a_crash() {
    let Some(world) = World::new().await else { return };
    world.notify_queue().await;
    const RECORDS: usize = 25_000;
    let filler = "x".repeat(8_000);
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(b"{\"Records\":[").unwrap();
    for n in 0..RECORDS {
        let comma = if n > 0 { "," } else { "" };
        write!(packed, "{comma}{{\"n\":{n},\"filler\":\"{filler}\"}}").unwrap();
    }
    packed.write_all(b"]}").unwrap();
    world.put("large.zst", packed.finish().unwrap()).await;

    let limits = SourceLimits {
        object_bytes_max: 8 << 20,
        record_bytes_max: 1 << 20,
        bytes_open_max: 16 << 20,
        checkpoint_interval: Duration::from_millis(50),
        ..SourceLimits::default()
    };
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let mut source = world.objects(limits.clone());
    let mut places = Vec::new();
    for n in 0..RECORDS / 3 {
        let payload = take(&mut source).await;
        let head = format!("{{\"Records\":[{{\"n\":{n},");
        assert!(payload.body.starts_with(head.as_bytes()), "{n}");
        places.push(payload.position.clone());
        payload.token.ack();
    }
    let open = take(&mut source).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // As a crash: nothing is finished, and the message comes to light by itself.
    drop(source);

    let mut source = world.objects(limits);
    let first = take(&mut source).await;
    assert_eq!(
        first.position, open.position,
        "it goes on where it was acknowledged, at the same place"
    );
    first.token.ack();
    for n in RECORDS / 3 + 1..RECORDS {
        let payload = take(&mut source).await;
        let head = format!("{{\"Records\":[{{\"n\":{n},");
        assert!(payload.body.starts_with(head.as_bytes()), "{n}");
        payload.token.ack();
    }
    let more = tokio::time::timeout(Duration::from_secs(1), source.next()).await;
    assert!(more.is_err(), "{more:?}");
    world.emptied().await;
    let grown = memory("VmHWM").saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB", grown >> 20);
}
