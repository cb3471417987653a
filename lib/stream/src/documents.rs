//! Cuts a stream into lines, and into the elements of documents that are too large for a line.

use std::io::Read;

use bytes::Bytes;

use crate::lines::{LineReader, Piece, PieceKind};
use crate::splitter::{Opening, Splitter, Step};

/// Reads an object in parts: a document whose log entries are an array (see [`Splitter`]), written over several lines
/// or on a line longer than allowed, comes as its elements, and everything else as lines. Memory is bounded by the
/// longest line allowed.
pub(crate) struct DocumentReader<R> {
    lines: LineReader<R>,
    splitter: Option<Splitter>,
    /// Where an element began that is too long, what is kept of it, and how much of it was read over.
    long: Option<(u64, Bytes, u64)>,
    /// A document was broken: what follows is lines.
    plain: bool,
}

impl<R: Read> DocumentReader<R> {
    pub(crate) fn new(inner: R, line_bytes_max: usize, head_bytes_max: usize) -> Self {
        Self {
            lines: LineReader::new(inner, 0, line_bytes_max, head_bytes_max),
            splitter: None,
            long: None,
            plain: false,
        }
    }

    /// The next piece; `None` at the end. An element is a line: a document of its own.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if self.splitter.is_some() {
                if let Some(piece) = self.element() {
                    return Some(piece);
                }
            } else if self.plain || !self.opens() {
                return self.lines.next_piece();
            }
        }
    }

    /// Whether a document to be split begins here; if so, what precedes its first element has been read.
    fn opens(&mut self) -> bool {
        if !self.spills() {
            return false;
        }
        loop {
            match Splitter::open(self.lines.ahead()) {
                Opening::Array(splitter, after) => {
                    self.lines.take(after);
                    self.splitter = Some(splitter);
                    return true;
                }
                Opening::Not => return false,
                Opening::More if self.lines.read_ahead() => {}
                Opening::More => return false,
            }
        }
    }

    /// Whether a line begins here with a bracket and does not end as what it opens would. Others are lines: documents
    /// on one line that is not too long come whole.
    fn spills(&mut self) -> bool {
        let mut searched = 0;
        loop {
            let ahead = self.lines.ahead();
            let end = memchr::memchr(b'\n', ahead.get(searched..).unwrap_or_default());
            let line = ahead.get(..end.map_or(ahead.len(), |end| searched + end));
            let line = line.unwrap_or_default().trim_ascii();
            if line.first().is_some_and(|byte| *byte != b'{') {
                return false;
            }
            if end.is_some() {
                let is_long = line.len() > self.lines.line_bytes_max();
                return !line.is_empty() && (is_long || line.last() != Some(&b'}'));
            }
            searched = ahead.len();
            if searched > self.lines.line_bytes_max() {
                return true;
            }
            if !self.lines.read_ahead() {
                return false;
            }
        }
    }

    /// The next element; `None` when there are no more in this document.
    fn element(&mut self) -> Option<Piece> {
        loop {
            let splitter = self.splitter.as_mut()?;
            match splitter.step(self.lines.ahead()) {
                Step::Skip(count) => _ = self.lines.take(count),
                Step::Element(count) => {
                    let start = self.lines.offset();
                    let element = self.lines.take(count);
                    let (start, kind) = match self.long.take() {
                        Some((start, head, over)) => (start, PieceKind::Oversize(head, over + count as u64)),
                        None if count > self.lines.line_bytes_max() => {
                            let head = element.slice(..self.lines.head_bytes_max());
                            (start, PieceKind::Oversize(head, count as u64))
                        }
                        None => (start, PieceKind::Line(splitter.wrap(&element))),
                    };
                    let after = self.lines.offset();
                    return Some(Piece { start, after, kind });
                }
                Step::End(count) => {
                    self.lines.take(count);
                    self.splitter = None;
                    return None;
                }
                Step::More => {
                    if splitter.is_inside() && self.lines.ahead().len() > self.lines.line_bytes_max() {
                        splitter.put_away();
                        self.put_away();
                    }
                    if !self.lines.read_ahead() {
                        return self.broken();
                    }
                }
                // Whoever parses what is left will say so: it comes as lines.
                Step::Broken(_) => return self.broken(),
            }
        }
    }

    /// Keeps the beginning of an element that is too long and forgets the rest.
    fn put_away(&mut self) {
        let start = self.lines.offset();
        let bytes = self.lines.take(self.lines.ahead().len());
        let read = bytes.len() as u64;
        match &mut self.long {
            Some((_, _, over)) => *over += read,
            None => {
                let head = bytes.get(..self.lines.head_bytes_max()).unwrap_or(&bytes);
                self.long = Some((start, Bytes::copy_from_slice(head), read));
            }
        }
    }

    /// The document does not go on as it should. What was read over is told; the rest comes as lines.
    fn broken(&mut self) -> Option<Piece> {
        self.splitter = None;
        self.plain = true;
        let (start, head, over) = self.long.take()?;
        let over = over + self.lines.take(self.lines.ahead().len()).len() as u64;
        Some(Piece {
            start,
            after: self.lines.offset(),
            kind: PieceKind::Oversize(head, over),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str, max: usize) -> Vec<(u64, String)> {
        let mut reader = DocumentReader::new(text.as_bytes(), max, 4);
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next_piece() {
            assert!(piece.after > piece.start && piece.after <= text.len() as u64);
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            pieces.push((
                piece.start,
                match &piece.kind {
                    PieceKind::Line(line) | PieceKind::Rest(line) => text(line),
                    PieceKind::Oversize(head, total) => format!("{}… of {total}", text(head)),
                    PieceKind::Broken(head, reason) => format!("{} {reason}", text(head)),
                },
            ));
        }
        pieces
    }

    fn texts(text: &str, max: usize) -> Vec<String> {
        let pieces = pieces(text, max).into_iter().map(|(_, text)| text);
        pieces.filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn a_document_longer_than_a_line_may_be_comes_as_its_elements() {
        let text = r#"{"Records":[{"a":1},{"b":2}],"x":0}"#;
        assert_eq!(
            texts(text, 30),
            [r#"{"Records":[{"a":1}]}"#, r#"{"Records":[{"b":2}]}"#]
        );
        assert_eq!(pieces(text, 30)[1].0, 20, "its place in the text");
        assert_eq!(texts(text, 100), [text], "one that fits is a line");
    }

    #[test]
    fn a_document_over_several_lines_comes_as_its_elements_and_lines_around_it_as_lines() {
        let text = "{\"n\":1}\n{\n \"Records\": [\n  {\"a\": 1\n},\n  2\n ]\n}\n{\"n\":2}\nlast";
        let expected = [
            "{\"n\":1}",
            "{\n \"Records\": [{\"a\": 1\n}]}",
            "{\n \"Records\": [2]}",
            "{\"n\":2}",
            "last",
        ];
        assert_eq!(texts(text, 100), expected);
    }

    #[test]
    fn documents_without_a_gap_between_them_come_one_after_the_other() {
        let text = r#"{"Records":[1,22222222]}{"Records":[3,44444444]}"#;
        assert_eq!(texts(text, 20).len(), 4);
    }

    #[test]
    fn other_long_lines_are_as_they_were() {
        assert_eq!(
            texts("{\"a\": \"0123456789\"}\nnext", 10),
            ["{\"a\"… of 19", "next"]
        );
        assert_eq!(texts("[[[[[[[[[[[[[\n{\n}\n", 10), ["[[[[… of 13", "{", "}"]);
    }

    #[test]
    fn a_long_element_is_read_over_in_bounded_memory_and_the_next_one_is_found() {
        let long = "x".repeat(1 << 20);
        let text = format!("{{\"Records\":[\"{long}\",{{\"a\":1}}]}}");
        assert_eq!(
            texts(&text, 1000),
            [
                format!("\"xxx… of {}", long.len() + 2),
                r#"{"Records":[{"a":1}]}"#.into()
            ]
        );
        let mut reader = DocumentReader::new(text.as_bytes(), 1000, 4);
        assert!(matches!(
            reader.next_piece().unwrap().kind,
            PieceKind::Oversize(..)
        ));
        assert!(reader.lines.ahead().len() < 1 << 17);
    }

    #[test]
    fn what_is_left_of_a_broken_document_comes_as_lines() {
        let text = "{\"Records\":[1111111111111,\n{\"a\":\n";
        assert_eq!(texts(text, 20), ["{\"Records\":[1111111111111]}", "{\"a\":"]);
        let text = "{\"Records\":[1111111111111 2]}\n{\"b\":1}";
        assert_eq!(
            texts(text, 20),
            ["{\"Records\":[1111111111111]}", " 2]}", "{\"b\":1}"]
        );
        let text = format!("{{\"Records\":[\"{}", "x".repeat(1 << 20));
        assert_eq!(texts(&text, 1000), [format!("\"xxx… of {}", (1 << 20) + 1)]);
    }

    #[test]
    fn what_came_before_a_broken_stream_is_not_lost() {
        struct Cut(bool);
        impl Read for Cut {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(std::io::Error::other("cut off"));
                }
                let text = b"{\"Records\":[1,\n2,{\"a\"";
                buffer[..text.len()].copy_from_slice(text);
                Ok(text.len())
            }
        }
        let mut reader = DocumentReader::new(Cut(false), 100, 100);
        let kinds: Vec<_> = std::iter::from_fn(|| reader.next_piece())
            .map(|piece| piece.kind)
            .collect();
        let line = |text: &'static str| PieceKind::Line(text.into());
        assert_eq!(
            kinds,
            [
                line("{\"Records\":[1]}"),
                line("{\"Records\":[2]}"),
                PieceKind::Broken("{\"a\"".into(), "cut off".into()),
            ]
        );
    }

    proptest! {
        /// Whatever a text is made of, no piece overlaps another, and without arrays nothing but lines comes out.
        #[test]
        fn pieces_do_not_overlap(parts in prop::collection::vec(prop::sample::select(vec![
            "{\"Records\":[", "{", "}", "]", ",", "\n", "\"", "\\", "abc", "1", " ",
        ]), 0..40), max in 1..30_usize) {
            let text = parts.concat();
            let mut reader = DocumentReader::new(text.as_bytes(), max, 4);
            let mut at = 0;
            while let Some(piece) = reader.next_piece() {
                prop_assert!(piece.start >= at && piece.after > piece.start);
                at = piece.after;
            }
            if !text.contains("Records") {
                let mut lines = LineReader::new(text.as_bytes(), 0, max, 4);
                let mut reader = DocumentReader::new(text.as_bytes(), max, 4);
                while let Some(line) = lines.next_piece() {
                    prop_assert_eq!(Some(line), reader.next_piece());
                }
            }
        }
    }
}
