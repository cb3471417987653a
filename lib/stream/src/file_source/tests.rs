use std::io::Write as _;
use std::path::Path;

use streamalert_store::MemoryStore;
use streamalert_types::{ManualClock, Timestamp};

use super::*;
use crate::PayloadForm;

const POLL: Duration = Duration::from_millis(10);

fn source(service: &str) -> Arc<Source> {
    Arc::new(Source { service: service.into(), resource: "r".into(), cluster: None })
}

fn context(store: &Arc<MemoryStore>, limits: SourceLimits) -> SourceContext {
    SourceContext { checkpoints: store.clone(), clock: Arc::new(ManualClock::at(Timestamp::EPOCH)), limits }
}

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::default())
}

fn list(service: &str, files: &[&Path], store: &Arc<MemoryStore>) -> FileSource {
    let files = files.iter().map(|path| path.to_path_buf()).collect();
    FileSource::list(source(service), files, context(store, SourceLimits::default()))
}

async fn rest(reader: &mut FileSource) -> Vec<Payload> {
    let mut all = Vec::new();
    while let Some(payload) = reader.next().await.unwrap() {
        all.push(payload);
    }
    all
}

fn texts(payloads: &[Payload]) -> Vec<&str> {
    payloads.iter().map(|payload| std::str::from_utf8(&payload.body).unwrap()).collect()
}

#[tokio::test]
async fn a_file_of_lines_is_read_once_and_resumed_at_its_last_acknowledged_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "one\ntwo\n\nthree\nfour").unwrap();
    let store = store();
    let mut reader = list("kinesis", &[&path], &store);
    let mut payloads = rest(&mut reader).await;
    assert_eq!(texts(&payloads), ["one", "two", "three", "four"]);
    // The first, and out of order the third: only the first moves the checkpoint.
    payloads.swap_remove(2).token.ack();
    payloads.swap_remove(0).token.ack();
    Box::new(reader).finish().await.unwrap();

    let mut reader = list("kinesis", &[&path], &store);
    let again = rest(&mut reader).await;
    assert_eq!(texts(&again), ["two", "three", "four"]);
    assert_eq!(again[0].position.sequence, Sequence::Offset(4));
    again.into_iter().for_each(|payload| payload.token.ack());
    Box::new(reader).finish().await.unwrap();
    assert!(rest(&mut list("kinesis", &[&path], &store)).await.is_empty());
}

#[tokio::test]
async fn an_object_is_one_payload_until_it_is_too_large_and_then_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("object");
    std::fs::write(&path, "{\"a\": 1}\n{\"a\": 2}\n").unwrap();
    let whole = rest(&mut list("s3", &[&path], &store())).await;
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].form, PayloadForm::Object);
    let limits = SourceLimits { object_bytes_max: 10, ..SourceLimits::default() };
    let mut reader = FileSource::list(source("s3"), vec![path], context(&store(), limits));
    let lines = rest(&mut reader).await;
    assert_eq!(texts(&lines), ["{\"a\": 1}", "{\"a\": 2}"]);
    assert_eq!(lines[1].form, PayloadForm::ObjectLine);
}

#[tokio::test]
async fn a_cut_off_gzip_gives_its_whole_lines_and_says_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("object.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for n in 0..10_000_u32 {
        writeln!(encoder, "{{\"n\": {}}}", n.wrapping_mul(2_654_435_761)).unwrap();
    }
    let packed = encoder.finish().unwrap();
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let payloads = rest(&mut list("s3", &[&path], &store())).await;
    assert!(payloads.len() > 1_000, "{}", payloads.len());
    let (last, lines) = payloads.split_last().unwrap();
    assert!(matches!(last.form, PayloadForm::Unreadable { .. }), "{last:?}");
    assert!(lines.iter().all(|line| line.form == PayloadForm::ObjectLine));
}

#[tokio::test]
async fn a_folder_is_followed_and_a_line_without_its_end_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut file = std::fs::File::create(&path).unwrap();
    write!(file, "one\ntw").unwrap();
    let store = store();
    let folder = |store| {
        FileSource::folder(source("kinesis"), dir.path().into(), POLL, context(store, SourceLimits::default()))
    };
    let mut reader = folder(&store);
    let one = reader.next().await.unwrap().unwrap();
    assert!(tokio::time::timeout(POLL * 10, reader.next()).await.is_err());
    writeln!(file, "o").unwrap();
    std::fs::write(dir.path().join("other"), "three\n").unwrap();
    let two = reader.next().await.unwrap().unwrap();
    let three = reader.next().await.unwrap().unwrap();
    let all = [one, two, three];
    assert_eq!(texts(&all), ["one", "two", "three"]);
    all.into_iter().for_each(|payload| payload.token.ack());
    Box::new(reader).finish().await.unwrap();

    writeln!(file, "four").unwrap();
    let mut reader = folder(&store);
    assert_eq!(reader.next().await.unwrap().unwrap().body, "four");
}

#[tokio::test]
async fn reading_waits_while_too_much_is_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "1\n2\n3\n").unwrap();
    let limits = SourceLimits { payloads_open_max: 2, ..SourceLimits::default() };
    let mut reader = FileSource::list(source("kinesis"), vec![path], context(&store(), limits));
    let first = reader.next().await.unwrap().unwrap();
    let _second = reader.next().await.unwrap().unwrap();
    assert!(tokio::time::timeout(POLL * 5, reader.next()).await.is_err());
    first.token.ack();
    assert_eq!(reader.next().await.unwrap().unwrap().body, "3");
}

#[tokio::test]
async fn a_missing_file_is_told_and_the_next_one_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    std::fs::write(&there, "x\n").unwrap();
    let mut reader = list("kinesis", &[&dir.path().join("missing"), &there], &store());
    let error = reader.next().await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("missing"), "{error}");
    assert_eq!(texts(&rest(&mut reader).await), ["x"]);
}
