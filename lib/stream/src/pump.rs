//! Reads one file on a blocking thread and hands its payloads over in small packs.

use std::io::{Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::lines::{LineReader, Piece, PieceKind};
use crate::medium::{self, FileKind};
use crate::{PayloadForm, SourceLimits};

/// Packs that wait for the reader: enough that the thread does not wait for every one.
const PACKS_MAX: usize = 4;
/// Payloads and bytes of a pack. Bounds, with [`PACKS_MAX`], what is read and not yet counted as open.
const PACK_PAYLOADS: usize = 256;
const PACK_BYTES: usize = 256 << 10;

/// A payload that is not registered yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) start: u64,
    pub(crate) after: u64,
    pub(crate) body: Bytes,
    pub(crate) form: PayloadForm,
}

/// What comes out of a file.
#[derive(Debug)]
pub(crate) enum Pumped {
    Payloads(Vec<Raw>),
    /// Everything there is has been read, up to this place.
    End(u64),
    /// It cannot be opened.
    Failed(std::io::Error),
}

/// What to read, and how.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
    pub(crate) from: u64,
    /// More may be appended: a last line without an end is left for later.
    pub(crate) follow: bool,
    pub(crate) limits: SourceLimits,
}

/// Starts to read.
pub(crate) fn start(job: Job) -> mpsc::Receiver<Pumped> {
    let (sender, receiver) = mpsc::channel(PACKS_MAX);
    tokio::task::spawn_blocking(move || {
        let mut pack = Pack { sender, raws: Vec::new(), bytes: 0 };
        let last = match run(&job, &mut pack) {
            Ok(Some(end)) => Pumped::End(end),
            // Nobody wants the rest.
            Ok(None) => return,
            Err(error) => Pumped::Failed(error),
        };
        if pack.flush() {
            let _ = pack.sender.blocking_send(last);
        }
    });
    receiver
}

struct Pack {
    sender: mpsc::Sender<Pumped>,
    raws: Vec<Raw>,
    bytes: usize,
}

impl Pack {
    /// False when nobody listens any more.
    #[must_use]
    fn push(&mut self, raw: Raw) -> bool {
        self.bytes += raw.body.len();
        self.raws.push(raw);
        if self.raws.len() >= PACK_PAYLOADS || self.bytes >= PACK_BYTES { self.flush() } else { true }
    }

    #[must_use]
    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let raws = std::mem::take(&mut self.raws);
        raws.is_empty() || self.sender.blocking_send(Pumped::Payloads(raws)).is_ok()
    }
}

fn run(job: &Job, pack: &mut Pack) -> std::io::Result<Option<u64>> {
    match job.kind {
        FileKind::Lines => Ok(lines(job, medium::open(&job.path, job.from)?, job.from, &PayloadForm::Message, pack)),
        FileKind::Object => object(job, pack),
    }
}

/// The object as one payload if it fits, else line by line.
fn object(job: &Job, pack: &mut Pack) -> std::io::Result<Option<u64>> {
    let mut unpacked = medium::open(&job.path, 0)?;
    let mut whole = Vec::new();
    let limit = job.limits.object_bytes_max as u64 + 1;
    let read = (&mut unpacked).take(limit).read_to_end(&mut whole);
    let broken = read.err();
    if broken.is_none() && (whole.len() as u64) < limit {
        let after = whole.len() as u64;
        if job.from >= after {
            return Ok(Some(after));
        }
        let raw = Raw { start: 0, after, body: whole.into(), form: PayloadForm::Object };
        return Ok(pack.push(raw).then_some(after));
    }
    // What was read comes first, then the remainder of the stream; or, when the stream broke, its error again.
    let remainder: Box<dyn Read + Send> = match broken {
        Some(error) => Box::new(Broken(Some(error))),
        None => unpacked,
    };
    let stream: Chain<Cursor<Vec<u8>>, _> = Cursor::new(whole).chain(remainder);
    let mut stream = stream;
    std::io::copy(&mut (&mut stream).take(job.from), &mut std::io::sink())?;
    Ok(lines(job, stream, job.from, &PayloadForm::ObjectLine, pack))
}

/// Gives the error that ended an earlier attempt to read.
struct Broken(Option<std::io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn lines(job: &Job, stream: impl Read, from: u64, form: &PayloadForm, pack: &mut Pack) -> Option<u64> {
    let limits = &job.limits;
    let mut reader = LineReader::new(stream, from, limits.record_bytes_max, limits.oversize_head_bytes);
    let mut end = from;
    while let Some(Piece { start, after, kind }) = reader.next_piece() {
        let (body, form) = match kind {
            PieceKind::Line(line) => (line, form.clone()),
            PieceKind::Rest(_) if job.follow => break,
            PieceKind::Rest(line) => (line, form.clone()),
            PieceKind::Oversize(head, total_bytes) => (head, PayloadForm::Oversize { total_bytes }),
            PieceKind::Broken(head, reason) => (head, PayloadForm::Unreadable { reason }),
        };
        end = after;
        // An empty line says nothing.
        if body.is_empty() && form != PayloadForm::Message && !matches!(form, PayloadForm::Unreadable { .. }) {
            continue;
        }
        if body.is_empty() && form == PayloadForm::Message {
            continue;
        }
        if !pack.push(Raw { start, after, body, form }) {
            return None;
        }
    }
    Some(end)
}

/// Whether a path names something that is still being written, by the custom of many programs.
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~') || [".tmp", ".part", ".swp"].iter().any(|end| name.ends_with(end))
}
