//! Files and folders as sources.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_types::{Position, Sequence, Source};
use tokio::sync::mpsc;

use crate::intake::{Intake, Writing};
use crate::medium::{self, FileKind};
use crate::pump::{self, Job, Pumped, Raw, is_temporary};
use crate::{Generation, Payload, SourceContext, SourceError, SourceLimits, SourceProgress, SourceReader};

/// What counts for each payload beside its body; as in [`Payload::weight_bytes`].
const PAYLOAD_OVERHEAD_BYTES: usize = 256;

/// Reads files: a list to its end, or a folder whose files appear and grow.
///
/// For `s3` a file is one object; it must be complete when it appears under its name, so write it under a name
/// that begins with a dot or ends in `.tmp` and rename it. For every other service each line is one payload.
pub struct FileSource {
    source: Arc<Source>,
    limits: SourceLimits,
    intake: Arc<Intake>,
    files: Files,
    /// How far each followed file has been read by us, acknowledged or not.
    followed: BTreeMap<Arc<str>, (Generation, u64)>,
    reading: Option<Reading>,
    ready: VecDeque<Raw>,
    bytes_read: u64,
    bytes_total: Option<u64>,
    _writing: Writing,
}

enum Files {
    /// Each once.
    List(VecDeque<PathBuf>),
    /// Whatever is in the folder, again and again.
    Folder {
        dir: PathBuf,
        poll: Duration,
        waiting: VecDeque<PathBuf>,
        /// Length of each file when it was last read to its end.
        seen: BTreeMap<PathBuf, u64>,
        polled: bool,
    },
}

struct Reading {
    path: PathBuf,
    partition: Arc<str>,
    generation: Generation,
    pumped: mpsc::Receiver<Pumped>,
    length: u64,
}

impl FileSource {
    /// Reads `files`, each to its end; what an earlier run acknowledged is left out. The file `-` is standard
    /// input, which is read anew by every run.
    #[must_use]
    pub fn list(source: Arc<Source>, files: Vec<PathBuf>, context: SourceContext) -> Self {
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let total = files.iter().map(length).sum();
        Self::new(source, Files::List(files.into()), Some(total), context)
    }

    /// Reads what is in `dir` and looks for more every `poll`, for ever.
    #[must_use]
    pub fn folder(source: Arc<Source>, dir: PathBuf, poll: Duration, context: SourceContext) -> Self {
        let files =
            Files::Folder { dir, poll, waiting: VecDeque::new(), seen: BTreeMap::new(), polled: false };
        Self::new(source, files, None, context)
    }

    fn new(source: Arc<Source>, files: Files, bytes_total: Option<u64>, context: SourceContext) -> Self {
        let limits = context.limits.clone();
        let intake = Intake::new(context);
        let writing = intake.keep_writing();
        Self {
            source,
            limits,
            intake,
            files,
            followed: BTreeMap::new(),
            reading: None,
            ready: VecDeque::new(),
            bytes_read: 0,
            bytes_total,
            _writing: writing,
        }
    }

    fn kind(&self) -> FileKind {
        if &*self.source.service == "s3" { FileKind::Object } else { FileKind::Lines }
    }

    /// The next file to read; `None` when there are no more.
    async fn next_file(&mut self) -> Result<Option<PathBuf>, SourceError> {
        match &mut self.files {
            Files::List(files) => Ok(files.pop_front()),
            Files::Folder { dir, poll, waiting, seen, polled } => loop {
                if let Some(path) = waiting.pop_front() {
                    return Ok(Some(path));
                }
                if std::mem::replace(polled, true) {
                    tokio::time::sleep(*poll).await;
                }
                let (folder, known) = (dir.clone(), seen.clone());
                let changed = tokio::task::spawn_blocking(move || changed_files(&folder, &known)).await;
                let changed = changed.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
                *waiting = changed.map_err(|cause| SourceError::File { path: dir.clone(), cause })?;
            },
        }
    }

    /// Opens the next file that has something to read. False when there are no more.
    async fn open_next(&mut self) -> Result<bool, SourceError> {
        while let Some(path) = self.next_file().await? {
            if self.open(path).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn open(&mut self, path: PathBuf) -> Result<bool, SourceError> {
        let kind = self.kind();
        if path.as_os_str() == medium::STDIN {
            // Nothing tells one run's input from the next one's but the time: it cannot be resumed.
            let partition: Arc<str> = format!("stdin@{}", self.intake.now()).into();
            let generation = self.intake.open(&self.source, &partition, 0);
            let job = Job { path: path.clone(), kind, from: 0, follow: false, limits: self.limits.clone() };
            self.reading = Some(Reading { path, partition, generation, pumped: pump::start(job), length: 0 });
            return Ok(true);
        }
        let follow = matches!(self.files, Files::Folder { .. }) && kind == FileKind::Lines;
        let failed = |cause| SourceError::File { path: path.clone(), cause };
        let looked = path.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let length = std::fs::metadata(&looked)?.len();
            let identity = if follow {
                medium::identity(&looked, kind)?
            } else {
                Some(medium::identity_of_finished(&looked, kind)?)
            };
            std::io::Result::Ok((length, identity))
        });
        let (length, identity) =
            looked.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(failed)?;
        let Some(partition) = identity else { return Ok(false) };
        let (generation, from) = match self.followed.get(&partition) {
            Some(known) => *known,
            None => {
                let (from, finished) = self.intake.resume(&self.source, &partition).await?;
                if finished && !follow && (kind == FileKind::Object || from >= length) {
                    self.read_to_end(&path, length);
                    return Ok(false);
                }
                (self.intake.open(&self.source, &partition, from), from)
            }
        };
        let job = Job { path: path.clone(), kind, from, follow, limits: self.limits.clone() };
        self.reading = Some(Reading { path, partition, generation, pumped: pump::start(job), length });
        Ok(true)
    }

    fn read_to_end(&mut self, path: &std::path::Path, length: u64) {
        self.bytes_read += length;
        if let Files::Folder { seen, .. } = &mut self.files {
            seen.insert(path.to_owned(), length);
        }
    }

    /// Fills `ready`. False when everything has been read.
    async fn refill(&mut self) -> Result<bool, SourceError> {
        loop {
            if self.reading.is_none() && !self.open_next().await? {
                return Ok(false);
            }
            let Some(reading) = &mut self.reading else { continue };
            match reading.pumped.recv().await {
                Some(Pumped::Payloads(raws)) => {
                    self.ready = raws.into();
                    return Ok(true);
                }
                Some(Pumped::End(after)) => {
                    let Some(reading) = self.reading.take() else { continue };
                    let grows = matches!(self.files, Files::Folder { .. }) && self.kind() == FileKind::Lines;
                    if grows {
                        self.followed.insert(reading.partition, (reading.generation, after));
                    } else {
                        self.intake.end(reading.generation, after);
                    }
                    self.read_to_end(&reading.path, reading.length);
                }
                Some(Pumped::Failed(cause)) => {
                    let path = self.reading.take().map(|reading| reading.path).unwrap_or_default();
                    return Err(SourceError::File { path, cause });
                }
                None => {
                    let path = self.reading.take().map(|reading| reading.path).unwrap_or_default();
                    return Err(SourceError::File { path, cause: std::io::Error::other("the reading thread died") });
                }
            }
        }
    }
}

/// Files of a folder that are new or have another length than when they were read, in name order.
fn changed_files(dir: &std::path::Path, seen: &BTreeMap<PathBuf, u64>) -> std::io::Result<VecDeque<PathBuf>> {
    let mut changed = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_file() && !is_temporary(&path) && seen.get(&path) != Some(&metadata.len()) {
            changed.push(path);
        }
    }
    changed.sort();
    Ok(changed.into())
}

#[async_trait]
impl SourceReader for FileSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        while self.ready.is_empty() {
            if !self.refill().await? {
                return Ok(None);
            }
        }
        // `ready` keeps the payload until it is registered, so that dropping this future loses nothing.
        let (Some(raw), Some(reading)) = (self.ready.front(), &self.reading) else { return Ok(None) };
        let weight = raw.body.len() + PAYLOAD_OVERHEAD_BYTES;
        let token = self.intake.register(reading.generation, raw.after, weight).await;
        let partition = reading.partition.clone();
        let Some(raw) = self.ready.pop_front() else { return Ok(None) };
        Ok(Some(Payload {
            source: self.source.clone(),
            position: Position { partition, sequence: Sequence::Offset(raw.start) },
            body: raw.body,
            form: raw.form,
            token,
        }))
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            payloads_read: self.intake.payloads_read(),
            payloads_open: self.intake.payloads_open(),
            bytes_read: self.bytes_read,
            bytes_total: self.bytes_total,
        }
    }

    async fn finish(self: Box<Self>) -> Result<SourceProgress, SourceError> {
        self.intake.write_checkpoints().await?;
        Ok(self.progress())
    }
}

#[cfg(test)]
mod tests;
