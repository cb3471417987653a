use std::io::Write as _;
use std::path::Path;
use std::task::Poll;

use streamalert_store::MemoryStore;
use streamalert_types::{ManualClock, Timestamp};

use super::*;
use crate::PayloadForm;

const POLL: Duration = Duration::from_millis(10);

fn source(service: &str) -> Arc<Source> {
    Arc::new(Source {
        service: service.into(),
        resource: "r".into(),
        cluster: None,
    })
}

fn context(store: &Arc<MemoryStore>, limits: SourceLimits) -> SourceContext {
    SourceContext {
        checkpoints: store.clone(),
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        limits,
    }
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
    payloads
        .iter()
        .map(|payload| std::str::from_utf8(&payload.body).unwrap())
        .collect()
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
    let limits = SourceLimits {
        object_bytes_max: 10,
        ..SourceLimits::default()
    };
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
        FileSource::folder(
            source("kinesis"),
            dir.path().into(),
            POLL,
            context(store, SourceLimits::default()),
        )
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
    let limits = SourceLimits {
        payloads_open_max: 2,
        ..SourceLimits::default()
    };
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
    assert!(
        error.is_retryable() && error.to_string().contains("missing"),
        "{error}"
    );
    assert_eq!(texts(&rest(&mut reader).await), ["x"]);
}

fn folder(dir: &Path, service: &str, store: &Arc<MemoryStore>) -> FileSource {
    FileSource::folder(
        source(service),
        dir.into(),
        POLL,
        context(store, SourceLimits::default()),
    )
}

async fn next_text(reader: &mut FileSource) -> String {
    let payload = reader.next().await.unwrap().unwrap();
    payload.token.ack();
    String::from_utf8(payload.body.to_vec()).unwrap()
}

async fn nothing_more(reader: &mut FileSource) -> bool {
    tokio::time::timeout(POLL * 10, reader.next()).await.is_err()
}

#[tokio::test]
async fn a_rotated_log_is_read_on_under_its_new_name_and_its_successor_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (log, rotated) = (dir.path().join("log"), dir.path().join("log.1"));
    let store = store();
    let mut file = std::fs::File::create(&log).unwrap();
    writeln!(file, "header\none").unwrap();
    let mut reader = folder(dir.path(), "kinesis", &store);
    let first = reader.next().await.unwrap().unwrap();
    assert_eq!(next_text(&mut reader).await, "one");
    std::fs::rename(&log, &rotated).unwrap();
    writeln!(file, "two").unwrap();
    std::fs::write(&log, "header\nthree\n").unwrap();
    let mut seen = vec![
        next_text(&mut reader).await,
        next_text(&mut reader).await,
        next_text(&mut reader).await,
    ];
    seen.sort();
    assert_eq!(seen, ["header", "three", "two"]);
    assert!(nothing_more(&mut reader).await);

    // The first line is still open: reading on after the rotation must not have forgotten it.
    Box::new(reader).finish().await.unwrap();
    drop(first);
    let mut reader = folder(dir.path(), "kinesis", &store);
    let again = reader.next().await.unwrap().unwrap();
    let partition = again.position.partition.to_string();
    assert_eq!(
        (&again.body[..], again.position.sequence),
        (&b"header"[..], Sequence::Offset(0))
    );
    assert!(
        partition.contains("/log#"),
        "under the name it was first seen under: {partition}"
    );
    assert_eq!(
        [next_text(&mut reader).await, next_text(&mut reader).await],
        ["one", "two"]
    );
    assert!(nothing_more(&mut reader).await);
}

#[tokio::test]
async fn a_log_that_was_truncated_is_read_anew_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    std::fs::write(&log, "header\none\ntwo\n").unwrap();
    let store = store();
    let mut reader = folder(dir.path(), "kinesis", &store);
    let first = reader.next().await.unwrap().unwrap();
    assert_eq!(
        [next_text(&mut reader).await, next_text(&mut reader).await],
        ["one", "two"]
    );
    std::fs::write(&log, "header\nnew\n").unwrap();
    let anew = reader.next().await.unwrap().unwrap();
    assert_eq!(anew.body, first.body);
    assert_ne!(anew.position, first.position, "not to be taken for a repetition");
    assert_eq!(next_text(&mut reader).await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_last_line_without_its_end_is_taken_once_the_file_is_idle() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("log"), "one\ntwo").unwrap();
    std::fs::write(dir.path().join("other"), "only").unwrap();
    let store = store();
    let mut reader = folder(dir.path(), "kinesis", &store);
    // Paused time runs on whenever only the reading thread works, so it is counted from before the first look.
    let start = Instant::now();
    assert_eq!(next_text(&mut reader).await, "one");
    assert_eq!(
        [next_text(&mut reader).await, next_text(&mut reader).await],
        ["two", "only"]
    );
    assert!(
        start.elapsed() >= Duration::from_secs(5),
        "it waited: {:?}",
        start.elapsed()
    );
    assert!(nothing_more(&mut reader).await);
    Box::new(reader).finish().await.unwrap();
    assert!(
        nothing_more(&mut folder(dir.path(), "kinesis", &store)).await,
        "all of it is checkpointed"
    );
}

#[tokio::test]
async fn objects_of_a_folder_are_read_once_each_and_temporary_files_never() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b", "a", ".hidden", "c.tmp"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    let store = store();
    let mut reader = folder(dir.path(), "s3", &store);
    assert_eq!(
        [next_text(&mut reader).await, next_text(&mut reader).await],
        ["a", "b"]
    );
    std::fs::rename(dir.path().join("c.tmp"), dir.path().join("c")).unwrap();
    assert_eq!(next_text(&mut reader).await, "c.tmp");
    Box::new(reader).finish().await.unwrap();
    assert!(nothing_more(&mut folder(dir.path(), "s3", &store)).await);
}

#[tokio::test]
async fn a_gzip_bomb_is_one_oversize_payload() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), 48 << 20),
        &mut encoder,
    )
    .unwrap();
    encoder.finish().unwrap();
    let limits = SourceLimits {
        object_bytes_max: 1 << 20,
        record_bytes_max: 1 << 16,
        oversize_head_bytes: 10,
        ..SourceLimits::default()
    };
    for service in ["s3", "kinesis"] {
        let context = context(&store(), limits.clone());
        let payloads = rest(&mut FileSource::list(
            source(service),
            vec![path.clone()],
            context,
        ))
        .await;
        assert_eq!(payloads.len(), 1);
        assert_eq!(
            payloads[0].form,
            PayloadForm::Oversize {
                total_bytes: 48 << 20
            }
        );
        assert_eq!(payloads[0].body.len(), 10);
    }
}

#[tokio::test]
async fn a_store_without_room_delays_checkpoints_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let store = streamalert_store::FaultyStore::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    let context = |limits| SourceContext {
        checkpoints: Arc::new(store.clone()),
        clock: clock.clone(),
        limits,
    };
    let mut reader = FileSource::list(
        source("kinesis"),
        vec![path.clone()],
        context(SourceLimits::default()),
    );
    store.faults().set_full(true);
    assert_eq!(
        [next_text(&mut reader).await, next_text(&mut reader).await],
        ["one", "two"]
    );
    assert!(reader.next().await.unwrap().is_none());
    let error = Box::new(reader).finish().await.unwrap_err();
    assert!(
        matches!(error, SourceError::Checkpoint { .. }) && error.is_retryable(),
        "{error}"
    );
    store.faults().set_full(false);
    let mut reader = FileSource::list(source("kinesis"), vec![path], context(SourceLimits::default()));
    assert_eq!(
        rest(&mut reader).await.len(),
        2,
        "read again: nothing was checkpointed"
    );
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_written_while_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let store = store();
    let mut reader = list("kinesis", &[&path], &store);
    assert_eq!(next_text(&mut reader).await, "one");
    tokio::time::sleep(SourceLimits::default().checkpoint_interval * 2).await;
    let checkpoints = streamalert_store::CheckpointStore::list(&*store, "kinesis:r")
        .await
        .unwrap();
    assert_eq!(checkpoints.len(), 1);
    assert_eq!(
        (&*checkpoints[0].1.sequence, checkpoints[0].1.finished),
        ("4", false)
    );
    // Killed here: nothing is finished, and reading goes on behind the checkpoint.
    drop(reader);
    assert_eq!(
        texts(&rest(&mut list("kinesis", &[&path], &store)).await),
        ["two"]
    );
}

#[tokio::test]
async fn progress_tells_bytes_of_the_medium() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let store = store();
    let mut reader = list("kinesis", &[&path], &store);
    rest(&mut reader)
        .await
        .into_iter()
        .for_each(|payload| payload.token.ack());
    let whole = SourceProgress {
        payloads_read: 2,
        payloads_open: 0,
        bytes_read: 8,
        bytes_total: Some(8),
    };
    assert_eq!(reader.progress(), whole);
    Box::new(reader).finish().await.unwrap();
    let mut reader = list("kinesis", &[&path], &store);
    assert!(rest(&mut reader).await.is_empty());
    assert_eq!(
        reader.progress(),
        SourceProgress {
            payloads_read: 0,
            ..whole
        },
        "what was read before counts"
    );
}

#[tokio::test]
async fn a_reader_that_is_asked_again_and_again_before_it_can_answer_loses_no_file() {
    for service in ["kinesis", "s3"] {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| dir.path().join(name));
        for path in &paths {
            std::fs::write(path, "one\n").unwrap();
        }
        let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
        let mut reader = list(service, &paths, &store());
        let mut payloads = Vec::new();
        loop {
            let polled = {
                let mut next = std::pin::pin!(reader.next());
                std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await
            };
            match polled {
                Poll::Ready(Ok(Some(payload))) => payloads.push(payload),
                Poll::Ready(end) => break assert!(end.unwrap().is_none()),
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
        assert_eq!(payloads.len(), 3, "{service}");
    }
}

#[tokio::test]
async fn files_packed_with_bzip2_or_zstd_are_read_and_resumed_and_large_documents_split() {
    use crate::packing::{Packing, packed};
    let dir = tempfile::tempdir().unwrap();
    let store = store();
    for packing in [Packing::Bzip2, Packing::Zstd] {
        let path = dir.path().join(format!("{packing:?}"));
        std::fs::write(&path, packed(packing, &[b"one\ntwo\n", b"three\n"])).unwrap();
        let mut reader = list("kinesis", &[&path], &store);
        let mut payloads = rest(&mut reader).await;
        assert_eq!(texts(&payloads), ["one", "two", "three"]);
        payloads.swap_remove(0).token.ack();
        Box::new(reader).finish().await.unwrap();
        assert_eq!(
            texts(&rest(&mut list("kinesis", &[&path], &store)).await),
            ["two", "three"]
        );

        let path = dir.path().join(format!("{packing:?} of records"));
        std::fs::write(&path, packed(packing, &[b"{\"Records\":[{\"a\":1},{\"b\":2}]}"])).unwrap();
        let limits = SourceLimits {
            object_bytes_max: 20,
            record_bytes_max: 20,
            ..SourceLimits::default()
        };
        let mut reader = FileSource::list(source("s3"), vec![path], context(&store, limits));
        let expected = ["{\"Records\":[{\"a\":1}]}", "{\"Records\":[{\"b\":2}]}"];
        assert_eq!(texts(&rest(&mut reader).await), expected);
    }
}
