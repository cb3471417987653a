mod known;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use streamalert_value::{Value, write_json_text};
use tokio::sync::{mpsc, oneshot};

use self::known::{KEYS_MAX, KeyHash, KnownKeys, TAIL_BYTES_MAX};
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
///
/// A line whose key the file has already is not written again, also after a restart: the keys of the last
/// [`TAIL_BYTES_MAX`] are read when a file is opened. The answer still waits for an fsync, because a process that
/// was killed may have written the line without one.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    /// Made at the first line, so that loading a configuration touches neither disk nor runtime.
    queue: OnceLock<mpsc::Sender<Append>>,
}

#[derive(Debug)]
struct Append {
    path: PathBuf,
    key: KeyHash,
    line: Vec<u8>,
    done: oneshot::Sender<Result<(), SendError>>,
}

impl Appender {
    /// Appends `line`, which is that of the delivery `key` (see [`line`]), to the file at `path`, unless it is
    /// known to be there.
    pub(crate) async fn append(&self, path: PathBuf, key: &str, line: Vec<u8>) -> Result<(), SendError> {
        let (done, answer) = oneshot::channel();
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_LINES_MAX);
            tokio::spawn(work(receiver));
            sender
        });
        let gone = || SendError::unsure("the file writer has stopped");
        queue
            .send(Append {
                path,
                key: KeyHash::of(key),
                line,
                done,
            })
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
    /// Keys of lines whose fsync failed: they can be read, yet the disk may not have them, so they are written
    /// again. Twice is better than never.
    doubted: KnownKeys,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// The end of the file is the beginning of a line that could not be finished.
    torn: bool,
    /// Lines that are in the file already.
    known: KnownKeys,
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
                if let Err(error) = open.write_once(append.key, &append.line) {
                    let error = SendError::retry(format!("{shown} cannot be written: {error}"));
                    let _ = append.done.send(Err(error.clone()));
                    break Some(error);
                }
                written.push((append.key, append.done));
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
                self.doubt(path, written.iter().map(|(key, _)| *key));
                Err(SendError::unsure(format!("{shown} cannot be synced: {error}")))
            }
            _ => {
                written.iter().for_each(|(key, _)| self.doubted.remove(key));
                Ok(())
            }
        };
        for (_, done) in written {
            let _ = done.send(synced.clone());
        }
    }

    /// After a failed fsync the kernel may drop the pages and report success next time: opens the file anew and
    /// does not take the lines in question for written, though they can be read.
    fn doubt(&mut self, path: &Path, keys: impl Iterator<Item = KeyHash>) {
        self.open.remove(path);
        keys.for_each(|key| self.doubted.insert(key));
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
            let mut open = OpenFile::open(path)?;
            if let Err(error) = open.sync_known() {
                self.doubt(path, open.known.iter());
                return Err(error);
            }
            open.known.remove_all(&self.doubted);
            self.open.insert(path.to_owned(), open);
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
        let known = if meta.is_file() {
            KnownKeys::read(&file, meta.len(), TAIL_BYTES_MAX, KEYS_MAX)?
        } else {
            KnownKeys::default()
        };
        Ok(Self {
            file,
            torn,
            known,
            identity: (meta.dev(), meta.ino()),
        })
    }

    /// Brings what a former process may have left in memory to the disk, since its lines count as written.
    fn sync_known(&self) -> io::Result<()> {
        if self.known.is_empty() {
            return Ok(());
        }
        self.file.sync_data()
    }

    /// Writes the line of `key`, unless the file has it.
    fn write_once(&mut self, key: KeyHash, line: &[u8]) -> io::Result<()> {
        if self.known.contains(&key) {
            tracing::debug!("line is in the file already");
            return self.end_torn_line();
        }
        self.write_line(line)?;
        self.known.insert(key);
        Ok(())
    }

    /// One write per line, so that lines of several writers do not mix.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.end_torn_line()?;
        // if this breaks off half way, the next line must not continue it
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        Ok(())
    }

    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.torn = false;
        }
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
