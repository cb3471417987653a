//! Files and folders as sources.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_types::{Position, Sequence, Source};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::folder::{self, Folder, Visit};
use crate::intake::{Intake, Writing};
use crate::known::KnownFiles;
use crate::medium::{self, FileKind, Look};
use crate::payload::weight_of;
use crate::pump::{self, Job, Pumped, Raw};
use crate::{
    Generation, Payload, ProgressWatch, SourceContext, SourceError, SourceLimits, SourceProgress,
    SourceReader,
};

/// Reads files: a list to its end, or a folder whose files appear and grow.
///
/// For `s3` a file is one object. Write one into a followed folder under a name that begins with a dot or ends in
/// `.tmp`, and rename it; one that appears under its own name is read once it has stopped growing between two
/// looks. For every other service each line is one payload; empty lines are passed over.
pub struct FileSource {
    source: Arc<Source>,
    limits: SourceLimits,
    intake: Arc<Intake>,
    files: Files,
    /// The file that is being opened. It stays here until it is, so that a dropped [`SourceReader::next`] loses none.
    opening: Option<Visit>,
    /// Loaded when the first file of lines is opened.
    known: Option<KnownFiles>,
    reading: Option<Reading>,
    ready: VecDeque<Raw>,
    bytes_read: Arc<AtomicU64>,
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
        folder: Folder,
        waiting: VecDeque<Visit>,
        polled: bool,
    },
}

struct Reading {
    path: PathBuf,
    partition: Arc<str>,
    generation: Generation,
    pumped: mpsc::Receiver<Pumped>,
    length: u64,
    /// What tells a file of lines from others.
    id: Option<(String, Look)>,
}

impl FileSource {
    /// Reads `files`, each to its end; what an earlier run acknowledged is left out. The file `-` is standard
    /// input, which is read anew by every run.
    #[must_use]
    pub fn list(source: Arc<Source>, files: Vec<PathBuf>, context: SourceContext) -> Self {
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let total = files.iter().map(length).sum();
        let endless = files.iter().any(|path| path.as_os_str() == medium::STDIN);
        Self::new(
            source,
            Files::List(files.into()),
            (!endless).then_some(total),
            context,
        )
    }

    /// Reads what is in `dir` and looks for more every `poll`, for ever.
    #[must_use]
    pub fn folder(source: Arc<Source>, dir: PathBuf, poll: Duration, context: SourceContext) -> Self {
        let files = Files::Folder {
            dir,
            poll,
            folder: Folder::default(),
            waiting: VecDeque::new(),
            polled: false,
        };
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
            opening: None,
            known: None,
            reading: None,
            ready: VecDeque::new(),
            bytes_read: Arc::default(),
            bytes_total,
            _writing: writing,
        }
    }

    fn kind(&self) -> FileKind {
        if &*self.source.service == "s3" {
            FileKind::Object
        } else {
            FileKind::Lines
        }
    }

    /// The next file to read; `None` when there are no more.
    async fn next_file(&mut self) -> Result<Option<Visit>, SourceError> {
        let kind = self.kind();
        match &mut self.files {
            Files::List(files) => Ok(files.pop_front().map(|path| Visit { path, settled: true })),
            Files::Folder {
                dir,
                poll,
                folder,
                waiting,
                polled,
            } => loop {
                if let Some(visit) = waiting.pop_front() {
                    return Ok(Some(visit));
                }
                if *polled {
                    tokio::time::sleep(*poll).await;
                }
                *polled = true;
                let looked = dir.clone();
                let listing = blocking(move || folder::list(&looked)).await;
                let listing = listing.map_err(|cause| SourceError::File {
                    path: dir.clone(),
                    cause,
                })?;
                *waiting = folder.listed(listing, kind, Instant::now()).into();
            },
        }
    }

    /// Opens the next file that has something to read. False when there are no more.
    async fn open_next(&mut self) -> Result<bool, SourceError> {
        loop {
            let visit = match self.opening.clone() {
                Some(visit) => visit,
                None => match self.next_file().await? {
                    Some(visit) => self.opening.insert(visit).clone(),
                    None => return Ok(false),
                },
            };
            let path = visit.path.clone();
            let opened = if path.as_os_str() == medium::STDIN {
                self.open_stdin(path);
                Ok(true)
            } else {
                match self.kind() {
                    FileKind::Lines => self.open_lines(visit).await,
                    FileKind::Object => self.open_object(path).await,
                }
            };
            self.opening = None;
            if opened? {
                return Ok(true);
            }
        }
    }

    fn open_stdin(&mut self, path: PathBuf) {
        // Nothing tells one run's input from the next one's but the time: it cannot be resumed.
        let partition: Arc<str> = format!("stdin@{}", self.intake.now()).into();
        let generation = self.intake.open(&self.source, &partition, 0);
        self.read(Visit { path, settled: true }, partition, generation, 0, 0);
    }

    async fn open_object(&mut self, path: PathBuf) -> Result<bool, SourceError> {
        let look = look(path.clone(), FileKind::Object, true).await?;
        let partition: Arc<str> = format!("{}#{}", look.path, look.id.unwrap_or_default()).into();
        let (from, finished) = self.intake.resume(&self.source, &partition).await?;
        if finished {
            self.pass_over(&path, look.length);
            return Ok(false);
        }
        let generation = self.intake.open(&self.source, &partition, from);
        self.read(
            Visit { path, settled: true },
            partition,
            generation,
            from,
            look.length,
        );
        Ok(true)
    }

    async fn open_lines(&mut self, visit: Visit) -> Result<bool, SourceError> {
        let look = look(visit.path.clone(), FileKind::Lines, visit.settled).await?;
        // A file that has no whole line yet is looked at again with every poll.
        let Some(id) = look.id.clone() else {
            return Ok(false);
        };
        let known = match &mut self.known {
            Some(known) => known,
            None => {
                let checkpoints = self.intake.resume_all(&self.source).await?;
                self.known.insert(KnownFiles::from_checkpoints(checkpoints))
            }
        };
        let file = known.find(&id, &look);
        let nothing_new = file.finished && (look.packed || file.from >= look.length);
        if nothing_new {
            self.pass_over(&visit.path, look.length);
            return Ok(false);
        }
        file.finished = false;
        // What is open from before stays on the books; a second reading beside it would forget it.
        let generation = match file.generation {
            Some(generation) if self.intake.go_on(generation) => generation,
            _ => {
                let generation = self.intake.open(&self.source, &file.partition, file.from);
                // Its name is checkpointed even if nothing of it is: alert ids hang on it, and under which path it
                // was first seen cannot be found out later.
                self.intake.touch(generation);
                generation
            }
        };
        file.generation = Some(generation);
        let (partition, from) = (file.partition.clone(), file.from);
        let length = look.length;
        self.read(visit, partition, generation, from, length);
        if let Some(reading) = &mut self.reading {
            reading.id = Some((id, look));
        }
        Ok(true)
    }

    fn read(&mut self, visit: Visit, partition: Arc<str>, generation: Generation, from: u64, length: u64) {
        let job = Job {
            kind: self.kind(),
            from,
            follow: !visit.settled,
            limits: self.limits.clone(),
            // One file at a time is read here.
            large: Arc::default(),
        };
        let (read, count) = (visit.path.clone(), self.bytes_read.clone());
        let pumped = pump::start(job, move |from| medium::open(&read, from, &count));
        self.reading = Some(Reading {
            path: visit.path,
            partition,
            generation,
            pumped,
            length,
            id: None,
        });
    }

    /// Takes note of a file that had been read before.
    fn pass_over(&mut self, path: &Path, length: u64) {
        self.bytes_read.fetch_add(length, Ordering::Relaxed);
        if let Files::Folder { folder, .. } = &mut self.files {
            folder.read(path, length, false);
        }
    }

    /// Fills `ready`. False when everything has been read.
    async fn refill(&mut self) -> Result<bool, SourceError> {
        loop {
            let Some(reading) = &mut self.reading else {
                if self.open_next().await? {
                    continue;
                }
                return Ok(false);
            };
            match reading.pumped.recv().await {
                Some(Pumped::Payloads(raws)) => {
                    self.ready = raws.into();
                    return Ok(true);
                }
                Some(Pumped::End { after, rest }) => self.ended(after, rest),
                Some(Pumped::Failed(cause)) => return Err(self.failed(cause)),
                None => {
                    return Err(self.failed(std::io::Error::other("the reading thread ended unexpectedly")));
                }
            }
        }
    }

    fn ended(&mut self, after: u64, rest: bool) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        if !rest {
            self.intake.end(reading.generation, after);
        }
        if let (Some(known), Some((id, look))) = (&mut self.known, &reading.id) {
            known.find(id, look).from = after;
        }
        if let Files::Folder { folder, .. } = &mut self.files {
            folder.read(&reading.path, reading.length, rest);
        }
    }

    fn failed(&mut self, cause: std::io::Error) -> SourceError {
        let path = self
            .reading
            .take()
            .map(|reading| reading.path)
            .unwrap_or_default();
        SourceError::File { path, cause }
    }
}

async fn look(path: PathBuf, kind: FileKind, settled: bool) -> Result<Look, SourceError> {
    let looked = path.clone();
    let look = blocking(move || medium::look(&looked, kind, settled)).await;
    look.map_err(|cause| SourceError::File { path, cause })
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
}

#[async_trait]
impl SourceReader for FileSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        loop {
            while self.ready.is_empty() {
                if !self.refill().await? {
                    return Ok(None);
                }
            }
            // `ready` keeps the payload until it is registered, so that dropping this future loses nothing.
            let (Some(raw), Some(reading)) = (self.ready.front(), &self.reading) else {
                return Ok(None);
            };
            let token = self
                .intake
                .register(reading.generation, raw.after, weight_of(&raw.body))
                .await;
            let partition = reading.partition.clone();
            if let (Some(raw), Some(token)) = (self.ready.pop_front(), token) {
                return Ok(Some(Payload {
                    source: self.source.clone(),
                    position: Position {
                        partition,
                        sequence: Sequence::Offset(raw.start),
                    },
                    body: raw.body,
                    form: raw.form,
                    token,
                }));
            }
        }
    }

    fn name(&self) -> String {
        self.source.to_string()
    }

    fn progress(&self) -> SourceProgress {
        (self.watch())()
    }

    fn watch(&self) -> ProgressWatch {
        let (intake, bytes_read) = (self.intake.clone(), self.bytes_read.clone());
        let bytes_total = self.bytes_total;
        Arc::new(move || SourceProgress {
            payloads_read: intake.payloads_read(),
            payloads_open: intake.payloads_open(),
            bytes_read: bytes_read.load(Ordering::Relaxed),
            bytes_total,
        })
    }

    async fn finish(self: Box<Self>) -> Result<SourceProgress, SourceError> {
        self.intake.write_checkpoints().await?;
        Ok(self.progress())
    }
}

#[cfg(test)]
mod tests;
