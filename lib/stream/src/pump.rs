//! Reads one file or object on a thread of its own and hands its payloads over in small packs.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::documents::DocumentReader;
use crate::lines::{LineReader, Piece, PieceKind};
use crate::medium::FileKind;
use crate::{PayloadForm, SourceLimits};

/// Packs that wait for the reader: one to take while the next is filled.
const PACKS_MAX: usize = 2;
/// Payloads and bytes of a pack. Bounds, with [`PACKS_MAX`], what is read and not yet counted as open; a single
/// larger payload is a pack by itself.
const PACK_PAYLOADS: usize = 256;
const PACK_BYTES: usize = 256 << 10;
/// An object up to this size is read whole beside others. Larger ones take turns, so that reading several at a time
/// costs the memory of one that is as large as allowed.
const BESIDE_BYTES_MAX: u64 = 8 << 20;

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
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) kind: FileKind,
    pub(crate) from: u64,
    /// More may be appended: a last line without an end is left for later.
    pub(crate) follow: bool,
    pub(crate) limits: SourceLimits,
    /// Held while a large object is in memory.
    pub(crate) large: Arc<Mutex<()>>,
}

/// What is read, unpacked.
pub(crate) type Stream = Box<dyn Read + Send>;

/// Starts to read. The thread is not one of the runtime's: a read of standard input may never come back, and the
/// runtime would wait for it when the process wants to end.
///
/// `open` gives the stream from the place on that it is told.
pub(crate) fn start(
    job: Job,
    open: impl FnOnce(u64) -> std::io::Result<Stream> + Send + 'static,
) -> mpsc::Receiver<Pumped> {
    let (sender, receiver) = mpsc::channel(PACKS_MAX);
    let mut pack = Pack {
        sender,
        raws: Vec::new(),
        bytes: 0,
    };
    let pump = move || {
        let last = match run(&job, open, &mut pack) {
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
fn run(
    job: &Job,
    open: impl FnOnce(u64) -> std::io::Result<Stream>,
    pack: &mut Pack,
) -> std::io::Result<Option<Pumped>> {
    match job.kind {
        FileKind::Lines => Ok(lines(job, open(job.from)?, pack)),
        // What an object is can only be told from its beginning.
        FileKind::Object => Ok(object(job, open(0)?, pack)),
    }
}

/// The object as one payload if it fits, else its lines or the elements of its documents.
fn object(job: &Job, mut unpacked: Stream, pack: &mut Pack) -> Option<Pumped> {
    let mut whole = Vec::new();
    let limit = job.limits.object_bytes_max as u64 + 1;
    let mut broken = read_up_to(limit.min(BESIDE_BYTES_MAX), &mut unpacked, &mut whole);
    let mut turn = None;
    if broken.is_none() && whole.len() as u64 == BESIDE_BYTES_MAX && limit > BESIDE_BYTES_MAX {
        turn = Some(job.large.lock().unwrap_or_else(PoisonError::into_inner));
        broken = read_up_to(limit, &mut unpacked, &mut whole);
    }
    if broken.is_none() && (whole.len() as u64) < limit {
        let after = whole.len() as u64;
        let end = Pumped::End { after, rest: false };
        if job.from >= after {
            return Some(end);
        }
        let raw = Raw {
            start: 0,
            after,
            body: whole.into(),
            form: PayloadForm::Object,
        };
        return (pack.push(raw) && pack.flush()).then_some(end);
    }
    let stream = Reread {
        first: Some((Cursor::new(whole), turn)),
        broken,
        rest: unpacked,
    };
    parts(job, stream, pack)
}

/// Reads until `whole` has `limit` bytes; the error by which that ended.
fn read_up_to(limit: u64, stream: &mut Stream, whole: &mut Vec<u8>) -> Option<std::io::Error> {
    let room = limit.saturating_sub(whole.len() as u64);
    stream.take(room).read_to_end(whole).err()
}

/// The right to have a large object in memory; `None` for one that needs none.
type Turn<'a> = Option<MutexGuard<'a, ()>>;

/// What was read of an object comes first, then the remainder of the stream; or, when it broke, its error again.
struct Reread<'a> {
    /// Freed when it has been read, with the turn of the object in memory.
    first: Option<(Cursor<Vec<u8>>, Turn<'a>)>,
    broken: Option<std::io::Error>,
    rest: Stream,
}

impl Read for Reread<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some((first, _)) = &mut self.first {
            let read = first.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.first = None;
        }
        match self.broken.take() {
            Some(error) => Err(error),
            None => self.rest.read(buffer),
        }
    }
}

/// The lines and elements of an object. It is read from its beginning, so that what is a document is seen as one
/// wherever the reading goes on; what an earlier run finished is passed over.
fn parts(job: &Job, stream: impl Read, pack: &mut Pack) -> Option<Pumped> {
    let limits = &job.limits;
    let mut reader = DocumentReader::new(stream, limits.record_bytes_max, limits.oversize_head_bytes);
    let mut end = 0;
    while let Some(piece) = reader.next_piece() {
        end = piece.after;
        let is_done = piece.after <= job.from;
        if let Some(raw) = raw(piece, &PayloadForm::ObjectLine).filter(|_| !is_done)
            && !pack.push(raw)
        {
            return None;
        }
    }
    Some(Pumped::End {
        after: end.max(job.from),
        rest: false,
    })
}

/// A piece as a payload; `None` for an empty line, which says nothing.
fn raw(piece: Piece, form: &PayloadForm) -> Option<Raw> {
    let (body, form) = match piece.kind {
        PieceKind::Line(line) | PieceKind::Rest(line) if line.is_empty() => return None,
        PieceKind::Line(line) | PieceKind::Rest(line) => (line, form.clone()),
        PieceKind::Oversize(head, total_bytes) => (head, PayloadForm::Oversize { total_bytes }),
        PieceKind::Broken(head, reason) => (head, PayloadForm::Unreadable { reason }),
    };
    Some(Raw {
        start: piece.start,
        after: piece.after,
        body,
        form,
    })
}

fn lines(job: &Job, stream: impl Read, pack: &mut Pack) -> Option<Pumped> {
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
        let Some(piece) = reader.next_piece() else {
            break;
        };
        if job.follow && matches!(piece.kind, PieceKind::Rest(_)) {
            left = true;
            break;
        }
        end = piece.after;
        if let Some(raw) = raw(piece, &PayloadForm::Message)
            && !pack.push(raw)
        {
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
            kind: FileKind::Lines,
            from: 0,
            follow: false,
            limits: SourceLimits::default(),
            large: Arc::default(),
        };
        let pump = std::thread::spawn(move || {
            let mut pack = Pack {
                sender,
                raws: Vec::new(),
                bytes: 0,
            };
            lines(&job, Pipe(pipe), &mut pack)
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
