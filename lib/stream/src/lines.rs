//! Cuts a stream of bytes into lines of bounded length.

use std::io::{ErrorKind, Read};

use bytes::{Buf, Bytes, BytesMut};

/// Bytes taken from the medium at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// One piece of a stream, with its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it begins.
    pub(crate) start: u64,
    /// Where the next one begins.
    pub(crate) after: u64,
    /// What it is.
    pub(crate) kind: PieceKind,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// A line without its end; complete.
    Line(Bytes),
    /// The last line of the stream, which has no end. More of it may come if the stream grows.
    Rest(Bytes),
    /// A line longer than allowed: its beginning and its whole length.
    Oversize(Bytes, u64),
    /// The stream cannot be read from here on; what was read since the last line's end, bounded, and why.
    Broken(Bytes, String),
}

/// Reads lines. Memory is bounded by the longest line allowed, whatever the stream holds.
pub(crate) struct LineReader<R> {
    inner: R,
    /// Bytes read and not yet handed out.
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line feed.
    searched: usize,
    /// Place of the first byte of `buffer` in the stream.
    offset: u64,
    line_bytes_max: usize,
    head_bytes_max: usize,
    done: bool,
    /// Why the stream broke, when that was found while looking ahead.
    broken: Option<String>,
}

impl<R: Read> LineReader<R> {
    /// Reads `inner`, whose first byte stands at `offset` of the stream.
    pub(crate) fn new(inner: R, offset: u64, line_bytes_max: usize, head_bytes_max: usize) -> Self {
        Self {
            inner,
            buffer: BytesMut::new(),
            searched: 0,
            offset,
            line_bytes_max,
            head_bytes_max: head_bytes_max.min(line_bytes_max),
            done: false,
            broken: None,
        }
    }

    /// What has been read and not yet handed out.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.buffer
    }

    /// Place of the first byte that has not been handed out.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) const fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    pub(crate) const fn head_bytes_max(&self) -> usize {
        self.head_bytes_max
    }

    /// Reads more of the stream. False at its end, or where it breaks, which is then told with the last piece.
    pub(crate) fn read_ahead(&mut self) -> bool {
        if self.done || self.broken.is_some() {
            return false;
        }
        match self.fill() {
            Ok(read) => {
                self.done = read == 0;
                !self.done
            }
            Err(reason) => {
                self.broken = Some(reason);
                false
            }
        }
    }

    /// Whether a whole line has been read already, so that taking it does not have to wait.
    pub(crate) fn has_line(&mut self) -> bool {
        match memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            Some(at) => {
                self.searched += at;
                true
            }
            None => {
                self.searched = self.buffer.len();
                false
            }
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                return Some(self.line(self.searched + at));
            }
            self.searched = self.buffer.len();
            if self.searched > self.line_bytes_max {
                return Some(self.oversize());
            }
            if self.done {
                return self.rest();
            }
            match self.fill() {
                Ok(read) => self.done = read == 0,
                Err(reason) => {
                    self.done = true;
                    let (start, bytes) = (self.offset, self.take(self.buffer.len()));
                    let head = bytes.slice(..bytes.len().min(self.head_bytes_max));
                    return Some(Piece {
                        start,
                        after: self.offset,
                        kind: PieceKind::Broken(head, reason),
                    });
                }
            }
        }
    }

    fn fill(&mut self) -> Result<usize, String> {
        if let Some(reason) = self.broken.take() {
            return Err(reason);
        }
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK_BYTES, 0);
        let read = loop {
            match self.inner.read(&mut self.buffer[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(old + read.as_ref().map_or(0, |read| *read));
        read.map_err(|error| error.to_string())
    }

    /// Takes `count` bytes off the front.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        self.searched = 0;
        self.offset += count as u64;
        self.buffer.split_to(count).freeze()
    }

    fn line(&mut self, end: usize) -> Piece {
        let start = self.offset;
        let text_end = if end > 0 && self.buffer[end - 1] == b'\r' {
            end - 1
        } else {
            end
        };
        // Lines of one chunk share its memory, which goes when the last of them does.
        let line = self.take(end + 1).slice(..text_end);
        let kind = if line.len() > self.line_bytes_max {
            let total = line.len() as u64;
            PieceKind::Oversize(line.slice(..self.head_bytes_max), total)
        } else {
            PieceKind::Line(line)
        };
        Piece {
            start,
            after: self.offset,
            kind,
        }
    }

    fn rest(&mut self) -> Option<Piece> {
        if self.buffer.is_empty() {
            return None;
        }
        let start = self.offset;
        let rest = self.take(self.buffer.len());
        Some(Piece {
            start,
            after: self.offset,
            kind: PieceKind::Rest(rest),
        })
    }

    /// Keeps the beginning of a line that is too long and reads over the remainder.
    fn oversize(&mut self) -> Piece {
        let start = self.offset;
        let head = Bytes::copy_from_slice(&self.buffer[..self.head_bytes_max]);
        let mut total = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                total += end as u64;
                self.buffer.advance(end + 1);
                self.offset += end as u64 + 1;
                break;
            }
            total += self.buffer.len() as u64;
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
            match self.fill() {
                Ok(0) => {
                    self.done = true;
                    break;
                }
                Ok(_) => {}
                // What was read is told now; the error comes again with the next read.
                Err(_) => break,
            }
        }
        self.searched = 0;
        Piece {
            start,
            after: self.offset,
            kind: PieceKind::Oversize(head, total),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &[u8], max: usize) -> Vec<Piece> {
        let mut reader = LineReader::new(text, 0, max, 4);
        std::iter::from_fn(|| reader.next_piece()).collect()
    }

    #[test]
    fn lines_come_with_their_places_and_without_their_ends() {
        let kinds: Vec<_> = pieces(b"ab\r\n\ncd", 100)
            .into_iter()
            .map(|p| (p.start, p.after, p.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                (0, 4, PieceKind::Line("ab".into())),
                (4, 5, PieceKind::Line("".into())),
                (5, 7, PieceKind::Rest("cd".into())),
            ]
        );
    }

    #[test]
    fn a_line_of_gigabytes_takes_no_more_memory_than_the_limit() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = (buffer.len() as u64).min(self.0);
                self.0 -= count;
                let count = usize::try_from(count).unwrap();
                buffer[..count].fill(b'x');
                Ok(count)
            }
        }
        let total = 3 << 30;
        let mut reader = LineReader::new(Endless(total), 0, 1 << 20, 16);
        let piece = reader.next_piece().unwrap();
        assert_eq!(piece.kind, PieceKind::Oversize(vec![b'x'; 16].into(), total));
        assert!(reader.buffer.capacity() < 4 << 20);
        assert_eq!(reader.next_piece(), None);
    }

    #[test]
    fn what_comes_before_an_error_is_not_lost() {
        struct Cut(usize);
        impl Read for Cut {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 > 1 {
                    return Err(std::io::Error::other("cut off"));
                }
                buffer[..5].copy_from_slice(b"a\nbcd");
                Ok(5)
            }
        }
        let mut reader = LineReader::new(Cut(0), 0, 100, 100);
        assert_eq!(reader.next_piece().unwrap().kind, PieceKind::Line("a".into()));
        let broken = reader.next_piece().unwrap();
        assert_eq!(
            (broken.start, broken.kind),
            (2, PieceKind::Broken("bcd".into(), "cut off".into()))
        );
        assert_eq!(reader.next_piece(), None);
    }

    proptest! {
        /// Places join without gap or overlap, and reading again from any place gives the same remainder.
        #[test]
        fn every_byte_is_in_one_piece(text in prop::collection::vec(prop::sample::select(b"ab\n\r".to_vec()), 0..200)) {
            let all = pieces(&text, 6);
            let mut at = 0;
            for piece in &all {
                prop_assert_eq!(piece.start, at);
                at = piece.after;
            }
            prop_assert_eq!(at, text.len() as u64);
            for (number, piece) in all.iter().enumerate() {
                let mut again = LineReader::new(&text[usize::try_from(piece.start).unwrap()..], piece.start, 6, 4);
                let again: Vec<_> = std::iter::from_fn(|| again.next_piece()).collect();
                prop_assert_eq!(&again[..], &all[number..]);
            }
        }
    }
}
