use super::*;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_key_comes_first_and_replaces_one_that_the_publication_has() {
    let fields = [
        ("a".to_owned(), Value::Int(1)),
        (KEY_FIELD.to_owned(), Value::Str("theirs".to_owned())),
    ];
    let text = String::from_utf8(line(&Value::Map(fields.into_iter().collect()), "ours")).unwrap();
    assert_eq!(text, "{\"idempotency_key\":\"ours\",\"a\":1}\n");
    let text = String::from_utf8(line(&Value::Str("x\ny".to_owned()), "k")).unwrap();
    assert_eq!(text, "{\"idempotency_key\":\"k\",\"publication\":\"x\\ny\"}\n");
}

#[tokio::test]
async fn parents_are_made_and_a_torn_last_line_gets_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c.jsonl");
    let append = async |line: &[u8]| {
        let key = String::from_utf8_lossy(line);
        Appender::default()
            .append(path.clone(), &key, line.to_vec())
            .await
            .unwrap()
    };
    append(b"{\"one\":1}\n").await;
    assert_eq!(read(&path), "{\"one\":1}\n");
    std::fs::write(&path, "{\"one\":1}\n{\"tor").unwrap();
    append(b"{\"two\":2}\n").await;
    append(b"{\"three\":3}\n").await;
    assert_eq!(read(&path), "{\"one\":1}\n{\"tor\n{\"two\":2}\n{\"three\":3}\n");
}

#[tokio::test]
async fn a_file_that_was_rotated_away_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    let appender = Appender::default();
    appender.append(path.clone(), "1", b"1\n".to_vec()).await.unwrap();
    std::fs::rename(&path, dir.path().join("alerts.jsonl.1")).unwrap();
    appender.append(path.clone(), "2", b"2\n".to_vec()).await.unwrap();
    assert_eq!(read(&path), "2\n");
    assert_eq!(read(&dir.path().join("alerts.jsonl.1")), "1\n");
}

#[tokio::test]
async fn many_writers_share_the_disk_and_every_line_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let appender = std::sync::Arc::new(Appender::default());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let (appender, path) = (
            std::sync::Arc::clone(&appender),
            dir.path().join(format!("{}", number % 20)),
        );
        let line = format!("{}\n", "x".repeat(number + 1)).into_bytes();
        tasks.spawn(async move { appender.append(path, &number.to_string(), line).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let mut lengths: Vec<usize> = (0..20)
        .flat_map(|n| {
            read(&dir.path().join(n.to_string()))
                .lines()
                .map(str::len)
                .collect::<Vec<_>>()
        })
        .collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_written_is_to_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let appender = Appender::default();
    let error = appender
        .append(dir.path().join("file/below"), "1", b"1\n".to_vec())
        .await
        .unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened() && error.message.contains("below"));
    let full = appender
        .append("/dev/full".into(), "1", b"1\n".to_vec())
        .await
        .unwrap_err();
    assert!(full.is_retryable(), "{full}");
}

/// Appends as a process that has just started does.
async fn append_anew(path: &Path, key: &str) {
    let line = line(&Value::Map(Default::default()), key);
    Appender::default()
        .append(path.to_owned(), key, line)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_line_that_a_former_process_wrote_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    for key in ["a", "a", "b\"\u{e9}", "a", "b\"\u{e9}"] {
        append_anew(&path, key).await;
    }
    assert_eq!(
        read(&path),
        "{\"idempotency_key\":\"a\"}\n{\"idempotency_key\":\"b\\\"\u{e9}\"}\n"
    );
}

#[tokio::test]
async fn a_line_that_was_cut_off_is_written_again_even_after_it_got_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    let torn = "{\"idempotency_key\":\"a\",\"n\":{}";
    std::fs::write(&path, torn).unwrap();
    append_anew(&path, "b").await;
    append_anew(&path, "a").await;
    append_anew(&path, "a").await;
    let whole = |key: &str| format!("{{\"idempotency_key\":\"{key}\"}}\n");
    assert_eq!(read(&path), format!("{torn}\n{}{}", whole("b"), whole("a")));
}

#[tokio::test]
async fn a_whole_line_without_its_newline_gets_it_and_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    std::fs::write(&path, "{\"idempotency_key\":\"a\"}").unwrap();
    append_anew(&path, "a").await;
    assert_eq!(read(&path), "{\"idempotency_key\":\"a\"}\n");
}

#[tokio::test]
async fn one_process_writes_a_key_once_per_file() {
    let dir = tempfile::tempdir().unwrap();
    let appender = Appender::default();
    for name in ["x", "y", "x"] {
        let append = || appender.append(dir.path().join(name), "a", b"1\n".to_vec());
        let (one, two) = tokio::join!(append(), append());
        assert_eq!((one, two), (Ok(()), Ok(())));
    }
    assert_eq!(read(&dir.path().join("x")), "1\n");
    assert_eq!(read(&dir.path().join("y")), "1\n");
}

#[tokio::test]
async fn a_key_further_back_than_the_tail_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    append_anew(&path, "far").await;
    append_anew(&path, "near").await;
    let near = read(&path).lines().last().unwrap().len() as u64 + 1;
    let mut filler = vec![b' '; usize::try_from(TAIL_BYTES_MAX - near).unwrap()];
    filler.pop();
    filler.push(b'\n');
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&filler).unwrap();
    let before = std::fs::metadata(&path).unwrap().len();
    append_anew(&path, "near").await;
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
    append_anew(&path, "far").await;
    assert!(std::fs::metadata(&path).unwrap().len() > before);
}

#[test]
fn a_line_whose_fsync_failed_is_written_again_until_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    let key = KeyHash::of("a");
    let text = line(&Value::Map(Default::default()), "a");
    let mut files = Files::default();
    let write = |files: &mut Files| {
        let (done, mut answer) = oneshot::channel();
        let line = text.clone();
        files.write(vec![Append {
            path: path.clone(),
            key,
            line,
            done,
        }]);
        answer.try_recv().unwrap().unwrap();
        read(&path).lines().count()
    };
    assert_eq!(write(&mut files), 1);
    assert_eq!(write(&mut files), 1);
    files.doubt(&path, [key].into_iter());
    assert_eq!(write(&mut files), 2);
    assert_eq!(write(&mut files), 2);
    files.open.clear();
    assert_eq!(write(&mut files), 2);
}
