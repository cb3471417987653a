use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use streamalert_value::{Value, write_json_text};
use tokio::sync::{mpsc, oneshot};

use super::SendError;
use crate::json::write_json;

/// Lines waiting for the disk. As many as attempts may be under way; the wait is the output's concurrency.
const QUEUE_LINES_MAX: usize = 1024;

/// Lines that share one fsync. An fsync costs as much as writing megabytes, so the more the better.
const BATCH_LINES_MAX: usize = 1024;

/// Files kept open. The history of the present hour and stragglers of the hours before.
const FILES_OPEN_MAX: usize = 8;

/// The field that tells repetitions of one delivery apart from two deliveries.
const KEY_FIELD: &str = "idempotency_key";

/// One line about one delivery: the publication with the idempotency key as its first field.
pub(crate) fn line(publication: &Value, key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    write_json_text(KEY_FIELD, &mut out);
    out.push(b':');
    write_json_text(key, &mut out);
    match publication {
        Value::Map(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| *name != KEY_FIELD) {
                out.push(b',');
                write_json_text(name, &mut out);
                out.push(b':');
                write_json(value, &mut out);
            }
        }
        other => {
            out.extend_from_slice(b",\"publication\":");
            write_json(other, &mut out);
        }
    }
    out.extend_from_slice(b"}\n");
    out
}

/// Appends lines to files. Answers when they are on disk; lines that arrive while the disk is busy share the
/// next fsync.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    /// Made at the first line, so that loading a configuration touches neither disk nor runtime.
    queue: OnceLock<mpsc::Sender<Append>>,
}

#[derive(Debug)]
struct Append {
    path: PathBuf,
    line: Vec<u8>,
    done: oneshot::Sender<Result<(), SendError>>,
}

impl Appender {
    /// Appends `line`, which ends with a newline, to the file at `path`.
    pub(crate) async fn append(&self, path: PathBuf, line: Vec<u8>) -> Result<(), SendError> {
        let (done, answer) = oneshot::channel();
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_LINES_MAX);
            tokio::spawn(work(receiver));
            sender
        });
        let gone = || SendError::unsure("the file writer has stopped");
        queue
            .send(Append { path, line, done })
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn work(mut queue: mpsc::Receiver<Append>) {
    let mut files = Files::default();
    loop {
        let mut batch = Vec::new();
        if queue.recv_many(&mut batch, BATCH_LINES_MAX).await == 0 {
            return;
        }
        let written = tokio::task::spawn_blocking(move || {
            files.write(batch);
            files
        });
        match written.await {
            Ok(back) => files = back,
            // a panic while writing: the callers were told by their dropped channels and try again
            Err(_) => files = Files::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Files {
    open: BTreeMap<PathBuf, OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// The end of the file is the beginning of a line that could not be finished.
    torn: bool,
    identity: (u64, u64),
}

impl Files {
    fn write(&mut self, batch: Vec<Append>) {
        let mut by_path: BTreeMap<PathBuf, Vec<Append>> = BTreeMap::new();
        for append in batch {
            by_path.entry(append.path.clone()).or_default().push(append);
        }
        for (path, appends) in by_path {
            self.write_file(&path, appends);
        }
    }

    fn write_file(&mut self, path: &Path, appends: Vec<Append>) {
        let shown = path.display();
        let mut written = Vec::with_capacity(appends.len());
        let mut appends = appends.into_iter();
        let failure = match self.file(path) {
            Err(error) => Some(SendError::retry(format!("{shown} cannot be opened: {error}"))),
            Ok(open) => loop {
                let Some(append) = appends.next() else { break None };
                if let Err(error) = open.write_line(&append.line) {
                    let error = SendError::retry(format!("{shown} cannot be written: {error}"));
                    let _ = append.done.send(Err(error.clone()));
                    break Some(error);
                }
                written.push(append.done);
            },
        };
        if let Some(error) = failure {
            for append in appends {
                let _ = append.done.send(Err(error.clone()));
            }
        }
        if written.is_empty() {
            return;
        }
        let synced = match self.open.get(path).map(|open| open.file.sync_data()) {
            Some(Err(error)) => {
                // after a failed fsync the kernel may drop the pages and report success next time: start anew
                self.open.remove(path);
                Err(SendError::unsure(format!("{shown} cannot be synced: {error}")))
            }
            _ => Ok(()),
        };
        for done in written {
            let _ = done.send(synced.clone());
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut OpenFile> {
        let now_there = std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
        if self
            .open
            .get(path)
            .is_some_and(|open| now_there != Some(open.identity))
        {
            // moved away by log rotation, or deleted
            self.open.remove(path);
        }
        if !self.open.contains_key(path) {
            if self.open.len() >= FILES_OPEN_MAX {
                self.open.pop_first();
            }
            self.open.insert(path.to_owned(), OpenFile::open(path)?);
        }
        Ok(self.open.get_mut(path).expect("it was just put there"))
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let created = !path.exists();
        if let Some(parent) = path.parent() {
            create_dirs(parent)?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        if created && let Some(parent) = path.parent() {
            sync_dir(parent)?;
        }
        let meta = file.metadata()?;
        let mut torn = false;
        if meta.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            torn = last != *b"\n";
        }
        Ok(Self {
            file,
            torn,
            identity: (meta.dev(), meta.ino()),
        })
    }

    /// One write per line, so that lines of several writers do not mix.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        // if this breaks off half way, the next line must not continue it
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        Ok(())
    }
}

/// Creates `dir` and its parents so that they survive a power cut.
fn create_dirs(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        create_dirs(parent)?;
    }
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match dir.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
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
            Appender::default()
                .append(path.clone(), line.to_vec())
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
        appender.append(path.clone(), b"1\n".to_vec()).await.unwrap();
        std::fs::rename(&path, dir.path().join("alerts.jsonl.1")).unwrap();
        appender.append(path.clone(), b"2\n".to_vec()).await.unwrap();
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
            tasks.spawn(async move { appender.append(path, line).await });
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
            .append(dir.path().join("file/below"), b"1\n".to_vec())
            .await
            .unwrap_err();
        assert!(error.is_retryable() && !error.may_have_happened() && error.message.contains("below"));
        let full = appender
            .append("/dev/full".into(), b"1\n".to_vec())
            .await
            .unwrap_err();
        assert!(full.is_retryable(), "{full}");
    }
}
