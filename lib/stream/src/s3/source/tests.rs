use std::collections::BTreeMap;

use bytes::Bytes;
use streamalert_aws::FaultKind;
use streamalert_store::{Checkpoint, CheckpointStore, Faults, FaultyStore, MemoryStore};
use streamalert_types::{ManualClock, Timestamp};

use super::*;
use crate::packing::{Packing, packed};
use crate::s3::{ObjectBody, ObjectChunks};
use crate::sqs::played::{Played, fault};
use crate::{SourceLimits, sqs};

/// Buckets in memory.
#[derive(Default)]
struct Buckets {
    objects: Mutex<BTreeMap<String, (String, Bytes)>>,
    faults: Mutex<VecDeque<FaultKind>>,
    gets: Mutex<Vec<GetRequest>>,
    /// Connections break after so many bytes.
    break_after: Mutex<Option<usize>>,
}

struct Pieces {
    rest: Bytes,
    left: Option<usize>,
}

#[async_trait]
impl ObjectChunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        if self.left == Some(0) {
            return Err("connection reset".to_owned());
        }
        let count = self.rest.len().min(1000).min(self.left.unwrap_or(usize::MAX));
        self.left = self.left.map(|left| left - count);
        Ok((count > 0).then(|| self.rest.split_to(count)))
    }
}

#[async_trait]
impl S3Api for Buckets {
    async fn get(&self, request: GetRequest) -> Result<ObjectBody, Fault> {
        self.gets.lock().unwrap().push(request.clone());
        let action = "s3:GetObject";
        if let Some(kind) = self.faults.lock().unwrap().pop_front() {
            return Err(fault(action, kind));
        }
        let found = self.objects.lock().unwrap().get(&request.key).cloned();
        let (tag, bytes) = found.ok_or_else(|| fault(action, FaultKind::NotFound))?;
        if request.tag.is_some_and(|wanted| wanted != tag) {
            return Err(fault(action, FaultKind::Invalid));
        }
        Ok(ObjectBody {
            tag,
            length: Some(bytes.len() as u64),
            chunks: Box::new(Pieces {
                rest: bytes.slice(usize::try_from(request.from).unwrap()..),
                left: *self.break_after.lock().unwrap(),
            }),
        })
    }
}

impl Buckets {
    fn put(&self, key: &str, tag: &str, bytes: impl Into<Bytes>) {
        self.objects
            .lock()
            .unwrap()
            .insert(key.to_owned(), (tag.to_owned(), bytes.into()));
    }
}

struct World {
    queue: Arc<Played>,
    buckets: Arc<Buckets>,
    store: Arc<FaultyStore<MemoryStore>>,
    faults: Faults,
    limits: SourceLimits,
}

impl World {
    fn new() -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        Self {
            queue: Played::new(),
            buckets: Arc::default(),
            faults: store.faults(),
            store: Arc::new(store),
            limits: SourceLimits::default(),
        }
    }

    fn source(&self) -> S3Source {
        let bucket = Source {
            service: "s3".into(),
            resource: "b".into(),
            cluster: Some("prod".into()),
        };
        let context = SourceContext {
            checkpoints: self.store.clone(),
            clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
            limits: self.limits.clone(),
        };
        let options = S3Options::new("queue", vec![Arc::new(bucket)]);
        S3Source::start(self.queue.clone(), self.buckets.clone(), options, context)
    }

    fn tell(&self, id: &str, keys: &[&str]) {
        let records = keys.iter().map(|key| {
            format!(
                r#"{{"eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}"}}}}}}"#
            )
        });
        let records: Vec<_> = records.collect();
        self.queue
            .send(id, format!(r#"{{"Records":[{}]}}"#, records.join(",")));
    }

    async fn checkpoints(&self) -> Vec<(String, Checkpoint)> {
        CheckpointStore::list(&*self.store, "s3:b").await.unwrap()
    }

    async fn left_no_checkpoint(&self) {
        while !self.checkpoints().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until nothing is left of the messages.
    async fn deleted(&self) {
        while !self.queue.left().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn take(source: &mut S3Source) -> Payload {
    source.next().await.unwrap().unwrap()
}

async fn quiet(source: &mut S3Source) {
    let next = tokio::time::timeout(Duration::from_millis(300), source.next()).await;
    assert!(next.is_err(), "{next:?}");
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

#[tokio::test]
async fn an_object_is_read_whatever_its_packing_and_its_message_deleted_when_all_of_it_is_acknowledged() {
    let world = World::new();
    for (n, packing) in [Packing::Gzip, Packing::Bzip2, Packing::Zstd]
        .into_iter()
        .enumerate()
    {
        world
            .buckets
            .put(&format!("k{n}"), "\"t\"", packed(packing, &[b"one\n", b"two\n"]));
    }
    world.tell("m", &["k0", "k1", "k2"]);
    let mut source = world.source();
    let mut payloads = Vec::new();
    for _ in 0..3 {
        payloads.push(take(&mut source).await);
    }
    let mut places: Vec<_> = payloads
        .iter()
        .map(|payload| payload.position.to_string())
        .collect();
    places.sort();
    assert_eq!(places, ["k0#t@0", "k1#t@0", "k2#t@0"]);
    for payload in &payloads {
        assert_eq!(
            (&payload.form, &payload.body[..]),
            (&PayloadForm::Object, &b"one\ntwo\n"[..])
        );
        assert_eq!(payload.source.cluster.as_deref(), Some("prod"));
    }
    let last = payloads.pop().unwrap();
    payloads.into_iter().for_each(|payload| payload.token.ack());
    quiet(&mut source).await;
    assert_eq!(world.queue.left(), ["m"]);
    last.token.ack();
    world.deleted().await;
    Box::new(source).finish().await.unwrap();
    let kept = world.checkpoints().await;
    assert!(
        kept.is_empty(),
        "nothing is left of objects that were read at once: {kept:?}"
    );
}

#[tokio::test]
async fn a_large_object_goes_on_after_a_crash_where_it_was_acknowledged_with_the_same_positions() {
    let mut world = World::new();
    world.limits.object_bytes_max = 100;
    world.limits.checkpoint_interval = Duration::from_millis(20);
    let text = lines(1000);
    world
        .buckets
        .put("k", "t", packed(Packing::Gzip, &[text.as_bytes()]));
    world.tell("m", &["k"]);
    let mut source = world.source();
    let mut first = Vec::new();
    for _ in 0..500 {
        first.push(take(&mut source).await);
    }
    let places: Vec<_> = first.iter().map(|payload| payload.position.clone()).collect();
    first.drain(..300).for_each(|payload| payload.token.ack());
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop((source, first));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.queue.visible(), 1, "the message comes again");

    let mut source = world.source();
    let mut rest = Vec::new();
    for _ in 300..1000 {
        rest.push(take(&mut source).await);
    }
    let at_first = places[0].clone();
    assert_eq!(rest[0].body, "{\"n\":300}");
    assert_eq!(
        rest[..200]
            .iter()
            .map(|payload| payload.position.clone())
            .collect::<Vec<_>>(),
        places[300..]
    );
    assert!(rest.iter().all(|payload| payload.form == PayloadForm::ObjectLine));
    rest.into_iter().for_each(|payload| payload.token.ack());
    quiet(&mut source).await;
    world.deleted().await;

    // With its message the checkpoint goes. Told of anew, the object is read anew, with the same positions.
    world.left_no_checkpoint().await;
    world.tell("again", &["k"]);
    assert_eq!(take(&mut source).await.position, at_first);
}

#[tokio::test]
async fn an_object_that_an_earlier_run_finished_is_not_read_again_and_leaves_nothing() {
    let mut world = World::new();
    world.limits.checkpoint_interval = Duration::from_millis(20);
    world.limits.object_bytes_max = 100;
    world.buckets.put("k", "t", lines(100));
    let row = Checkpoint {
        sequence: "7".to_owned(),
        finished: true,
        updated: Timestamp::EPOCH,
        expires: None,
    };
    CheckpointStore::put(&*world.store, "s3:b", vec![("k#t".to_owned(), row)])
        .await
        .unwrap();
    world.tell("m", &["k"]);
    let mut source = world.source();
    quiet(&mut source).await;
    assert_eq!(world.queue.left(), [""; 0]);
    world.left_no_checkpoint().await;
}

#[tokio::test]
async fn a_checkpoint_is_removed_once_the_store_answers_again_and_else_expires() {
    let mut world = World::new();
    world.limits.checkpoint_interval = Duration::from_millis(20);
    world.limits.object_bytes_max = 100;
    world.buckets.put("k", "t", lines(100));
    world.tell("m", &["k"]);
    let mut source = world.source();
    let mut payloads = Vec::new();
    for _ in 0..100 {
        payloads.push(take(&mut source).await);
    }
    let last = payloads.pop().unwrap();
    payloads.into_iter().for_each(|payload| payload.token.ack());
    while world.checkpoints().await.is_empty() {
        quiet(&mut source).await;
    }
    let rows = world.checkpoints().await;
    assert_eq!(
        rows[0].1.expires,
        Some(Timestamp::EPOCH.plus(Duration::from_secs(15 * 86_400)))
    );
    world.faults.fail_before(3);
    last.token.ack();
    world.deleted().await;
    world.left_no_checkpoint().await;

    // What a crash left expires: it is looked for when a source starts.
    drop(source);
    let rows = vec![
        ("old".to_owned(), until(Timestamp::EPOCH)),
        ("new".to_owned(), until(Timestamp::from_micros(1))),
    ];
    CheckpointStore::put(&*world.store, "s3:b", rows).await.unwrap();
    let source = world.source();
    while world.checkpoints().await.len() > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.checkpoints().await[0].0, "new");
    drop(source);
}

fn until(expires: Timestamp) -> Checkpoint {
    Checkpoint {
        sequence: "1".to_owned(),
        finished: false,
        updated: Timestamp::EPOCH,
        expires: Some(expires),
    }
}

#[tokio::test]
async fn a_document_of_records_comes_as_its_records() {
    let mut world = World::new();
    world.limits.object_bytes_max = 100;
    world.limits.record_bytes_max = 50;
    let records: Vec<_> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
    let document = format!("{{\"Records\":[{}]}}", records.join(","));
    world
        .buckets
        .put("k", "t", packed(Packing::Zstd, &[document.as_bytes()]));
    world.tell("m", &["k"]);
    let mut source = world.source();
    for record in records {
        let payload = take(&mut source).await;
        assert_eq!(payload.body, format!("{{\"Records\":[{record}]}}"));
        assert_eq!(payload.form, PayloadForm::ObjectLine);
        payload.token.ack();
    }
    quiet(&mut source).await;
    world.deleted().await;
}

#[tokio::test]
async fn a_connection_that_breaks_goes_on_where_it_broke_unless_the_object_is_another_by_then() {
    let world = World::new();
    let text = lines(1000);
    world.buckets.put("k", "t", text.clone());
    *world.buckets.break_after.lock().unwrap() = Some(4500);
    world.tell("m", &["k"]);
    let mut source = world.source();
    let payload = take(&mut source).await;
    assert_eq!(payload.body, text);
    let gets = world.buckets.gets.lock().unwrap().clone();
    assert!(
        gets.len() > 1 && gets[1].from == 4500 && gets[1].tag.as_deref() == Some("t"),
        "{gets:?}"
    );
    payload.token.ack();
    quiet(&mut source).await;
    world.deleted().await;

    *world.buckets.break_after.lock().unwrap() = Some(4500);
    world.buckets.faults.lock().unwrap().clear();
    world.buckets.put("two", "t", text);
    world.tell("m2", &["two"]);
    world
        .buckets
        .faults
        .lock()
        .unwrap()
        .extend([FaultKind::Throttled, FaultKind::Unknown]);
    let watch = {
        let buckets = world.buckets.clone();
        tokio::spawn(async move {
            while !buckets
                .gets
                .lock()
                .unwrap()
                .iter()
                .any(|get| get.key == "two" && get.from > 0)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            buckets.put("two", "other", "overwritten");
        })
    };
    let mut last = take(&mut source).await;
    while !matches!(last.form, PayloadForm::Unreadable { .. }) {
        last.token.ack();
        last = take(&mut source).await;
    }
    watch.await.unwrap();
    let PayloadForm::Unreadable { reason } = &last.form else {
        panic!()
    };
    assert!(reason.contains("bytes, as stored: s3:GetObject"), "{reason}");
    last.token.ack();
    quiet(&mut source).await;
    world.deleted().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_or_denied_becomes_a_dead_letter_after_some_attempts() {
    let world = World::new();
    world.tell("m", &["gone"]);
    let mut source = world.source();
    let letter = take(&mut source).await;
    let gets = world.buckets.gets.lock().unwrap().len();
    assert_eq!(gets, 3);
    let PayloadForm::Unreadable { reason } = &letter.form else {
        panic!("{letter:?}")
    };
    assert!(
        reason.contains("tried 3 times") && reason.contains("s3:GetObject"),
        "{reason}"
    );
    assert_eq!(&letter.body[..], b"s3://b/gone version latest");
    assert_eq!(letter.source.cluster.as_deref(), Some("prod"));
    assert_eq!(world.queue.left(), ["m"], "not before it is acknowledged");
    letter.token.ack();
    world.deleted().await;
    assert_eq!(source.progress().payloads_open, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_of_no_use_are_dead_letters_and_tests_of_s3_are_dropped() {
    let world = World::new();
    world.queue.send(
        "test",
        r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#,
    );
    let mut source = world.source();
    quiet(&mut source).await;
    world.deleted().await;
    world.queue.send("x", "hello");
    let other = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"z"},"object":{"key":"k"}}}]}"#;
    world.queue.send("y", other);
    for (body, why) in [("hello", "no notification of s3"), (other, "bucket z")] {
        let letter = take(&mut source).await;
        let PayloadForm::Unreadable { reason } = &letter.form else {
            panic!("{letter:?}")
        };
        assert!(reason.contains(why) && letter.body == body, "{letter:?}");
        assert_eq!(letter.source.to_string(), "sqs:queue");
        letter.token.ack();
    }
    world.deleted().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_received_too_often_becomes_a_dead_letter_without_its_object_being_read() {
    let world = World::new();
    world.buckets.put("k", "t", "x");
    world.tell("m", &["k"]);
    for _ in 0..5 {
        let request = sqs::ReceiveRequest {
            messages_max: 1,
            wait: Duration::from_secs(60),
            visibility: Duration::from_secs(1),
        };
        assert_eq!(world.queue.receive(request).await.unwrap().len(), 1);
    }
    let mut source = world.source();
    let letter = take(&mut source).await;
    assert!(
        matches!(&letter.form, PayloadForm::Unreadable { reason } if reason.contains("received 6 times"))
    );
    assert!(world.buckets.gets.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_object_told_of_twice_is_read_once_and_both_messages_deleted() {
    let world = World::new();
    world.buckets.put("k", "t", "x");
    world.tell("m1", &["k"]);
    world.tell("m2", &["k"]);
    let mut source = world.source();
    let payload = take(&mut source).await;
    quiet(&mut source).await;
    payload.token.ack();
    world.deleted().await;
    assert_eq!(source.progress().payloads_read, 1);
}

#[tokio::test]
async fn an_empty_object_needs_no_payload() {
    let world = World::new();
    world.buckets.put("k/", "t", "");
    world.tell("m", &["k/"]);
    let mut source = world.source();
    quiet(&mut source).await;
    world.deleted().await;
}

#[tokio::test]
async fn reading_waits_while_too_much_is_not_acknowledged() {
    let mut world = World::new();
    world.limits.payloads_open_max = 10;
    world.limits.object_bytes_max = 100;
    world.buckets.put("k", "t", lines(100_000));
    world.tell("m", &["k"]);
    let mut source = world.source();
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(take(&mut source).await);
    }
    quiet(&mut source).await;
    let read = source.progress().bytes_read;
    assert!(read < 1 << 20, "{read} of what is there");
    held.pop().unwrap().token.ack();
    take(&mut source).await.token.ack();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_for_ten_minutes_holds_objects_back_and_makes_none_of_them_poison() {
    let mut world = World::new();
    world.limits.object_bytes_max = 100;
    world.buckets.put("large", "t", lines(100));
    world.buckets.put("small", "t", "one\n");
    world.tell("m1", &["large"]);
    let mut source = world.source();
    let first = take(&mut source).await;
    world.faults.set_down(true);
    first.token.ack();
    world.tell("m2", &["small"]);
    let mut large = Vec::new();
    let down_until = tokio::time::Instant::now() + Duration::from_secs(600);
    // What is being read goes on; what is new waits.
    while let Ok(payload) = tokio::time::timeout_at(down_until, source.next()).await {
        large.push(payload.unwrap().unwrap());
    }
    assert_eq!(large.len(), 99);
    assert_eq!(world.queue.left(), ["m1", "m2"]);
    world.faults.set_down(false);
    let small = take(&mut source).await;
    assert_eq!(
        (&small.form, &small.body[..]),
        (&PayloadForm::Object, &b"one\n"[..])
    );
    large
        .into_iter()
        .chain([small])
        .for_each(|payload| payload.token.ack());
    world.deleted().await;
    world.left_no_checkpoint().await;
}
