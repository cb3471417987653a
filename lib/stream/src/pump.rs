//! Reads one file on a thread of its own and hands its payloads over in small packs.

use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::lines::{LineReader, Piece, PieceKind};
use crate::medium::{self, FileKind};
use crate::{PayloadForm, SourceLimits};

/// Packs that wait for the reader: one to take while the next is filled.
const PACKS_MAX: usize = 2;
/// Payloads and bytes of a pack. Bounds, with [`PACKS_MAX`], what is read and not yet counted as open; a single
/// larger payload is a pack by itself.
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
    /// Everything there is has been read.
    End {
        /// Up to this place.
        after: u64,
        /// A last line without an end was left.
        rest: bool,
    },
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
    /// Told how many stored bytes have been read.
    pub(crate) count: Arc<AtomicU64>,
}

/// Starts to read. The thread is not one of the runtime's: a read of standard input may never come back, and the
/// runtime would wait for it when the process wants to end.
pub(crate) fn start(job: Job) -> mpsc::Receiver<Pumped> {
    let (sender, receiver) = mpsc::channel(PACKS_MAX);
    let mut pack = Pack {
        sender,
        raws: Vec::new(),
        bytes: 0,
    };
    let pump = move || {
        let last = match run(&job, &mut pack) {
            Ok(Some(end)) => end,
            // Nobody wants the rest.
            Ok(None) => return,
            Err(error) => Pumped::Failed(error),
        };
        if pack.flush() {
            let _ = pack.sender.blocking_send(last);
        }
    };
    let started = std::thread::Builder::new()
        .name("source-reader".to_owned())
        .spawn(pump);
    if let Err(error) = started {
        let (sender, failed) = mpsc::channel(1);
        let _ = sender.try_send(Pumped::Failed(error));
        return failed;
    }
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
        if self.raws.len() >= PACK_PAYLOADS || self.bytes >= PACK_BYTES {
            self.flush()
        } else {
            true
        }
    }

    #[must_use]
    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let raws = std::mem::take(&mut self.raws);
        raws.is_empty() || self.sender.blocking_send(Pumped::Payloads(raws)).is_ok()
    }
}

/// `None` when nobody listens any more.
fn run(job: &Job, pack: &mut Pack) -> std::io::Result<Option<Pumped>> {
    match job.kind {
        FileKind::Lines => {
            let stream = medium::open(&job.path, job.from, &job.count)?;
            Ok(lines(job, stream, &PayloadForm::Message, pack))
        }
        FileKind::Object => object(job, pack),
    }
}

/// The object as one payload if it fits, else line by line.
fn object(job: &Job, pack: &mut Pack) -> std::io::Result<Option<Pumped>> {
    let mut unpacked = medium::open(&job.path, 0, &job.count)?;
    let mut whole = Vec::new();
    let limit = job.limits.object_bytes_max as u64 + 1;
    let broken = (&mut unpacked).take(limit).read_to_end(&mut whole).err();
    if broken.is_none() && (whole.len() as u64) < limit {
        let after = whole.len() as u64;
        let end = Pumped::End { after, rest: false };
        if job.from >= after {
            return Ok(Some(end));
        }
        let raw = Raw {
            start: 0,
            after,
            body: whole.into(),
            form: PayloadForm::Object,
        };
        return Ok(pack.push(raw).then_some(end));
    }
    // What was read comes first, then the remainder of the stream; or, when the stream broke, its error again.
    let remainder: Box<dyn Read + Send> = match broken {
        Some(error) => Box::new(Broken(Some(error))),
        None => unpacked,
    };
    let mut stream = Cursor::new(whole).chain(remainder);
    std::io::copy(&mut (&mut stream).take(job.from), &mut std::io::sink())?;
    Ok(lines(job, stream, &PayloadForm::ObjectLine, pack))
}

/// Gives the error that ended an earlier attempt to read.
struct Broken(Option<std::io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn lines(job: &Job, stream: impl Read, form: &PayloadForm, pack: &mut Pack) -> Option<Pumped> {
    let limits = &job.limits;
    let mut reader = LineReader::new(
        stream,
        job.from,
        limits.record_bytes_max,
        limits.oversize_head_bytes,
    );
    let (mut end, mut left) = (job.from, false);
    loop {
        // The next read may wait for a writer: what is here goes first.
        if !reader.has_line() && !pack.flush() {
            return None;
        }
        let Some(Piece { start, after, kind }) = reader.next_piece() else {
            break;
        };
        let (body, form) = match kind {
            PieceKind::Rest(_) if job.follow => {
                left = true;
                break;
            }
            // An empty line says nothing.
            PieceKind::Line(line) | PieceKind::Rest(line) if line.is_empty() => {
                end = after;
                continue;
            }
            PieceKind::Line(line) | PieceKind::Rest(line) => (line, form.clone()),
            PieceKind::Oversize(head, total_bytes) => (head, PayloadForm::Oversize { total_bytes }),
            PieceKind::Broken(head, reason) => (head, PayloadForm::Unreadable { reason }),
        };
        end = after;
        if !pack.push(Raw {
            start,
            after,
            body,
            form,
        }) {
            return None;
        }
    }
    Some(Pumped::End {
        after: end,
        rest: left,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;

    #[test]
    fn lines_that_are_here_do_not_wait_for_those_to_come() {
        /// Gives what it is sent, and waits for more.
        struct Pipe(std_mpsc::Receiver<&'static [u8]>);
        impl Read for Pipe {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let Ok(bytes) = self.0.recv() else { return Ok(0) };
                buffer[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
        }
        let (writer, pipe) = std_mpsc::channel();
        let (sender, mut pumped) = mpsc::channel(PACKS_MAX);
        let job = Job {
            path: "-".into(),
            kind: FileKind::Lines,
            from: 0,
            follow: false,
            limits: SourceLimits::default(),
            count: Arc::default(),
        };
        let pump = std::thread::spawn(move || {
            let mut pack = Pack {
                sender,
                raws: Vec::new(),
                bytes: 0,
            };
            lines(&job, Pipe(pipe), &PayloadForm::Message, &mut pack)
        });
        let mut bodies = |count| {
            let Some(Pumped::Payloads(raws)) = pumped.blocking_recv() else {
                panic!("no payloads")
            };
            assert_eq!(raws.len(), count);
            raws.into_iter().map(|raw| raw.body).collect::<Vec<_>>()
        };
        writer.send(b"one\ntwo\nthr").unwrap();
        assert_eq!(bodies(2), ["one", "two"]);
        writer.send(b"ee\n").unwrap();
        assert_eq!(bodies(1), ["three"]);
        drop(writer);
        assert!(matches!(
            pump.join().unwrap(),
            Some(Pumped::End {
                after: 14,
                rest: false
            })
        ));
    }
}
