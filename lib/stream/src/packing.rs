//! Compression, recognised by a stream's first bytes: gzip (RFC 1952), bzip2, Zstandard (RFC 8878). Streams of several
//! members, frames or blocks are read to their end.

use std::io::{BufReader, Cursor, Read};

/// How much is asked of the medium at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// How a stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Bzip2,
    Zstd,
}

/// The bytes that a packed stream begins with, each from one value to another. A bzip2 header alone (`BZh9`) may begin
/// a text, so the mark of its first block, or of its end, is asked for, too. A stream of Zstandard may begin with a
/// frame to be skipped.
const BEGINNINGS: [(Packing, &[(u8, u8)]); 5] = [
    (Packing::Gzip, &[(0x1f, 0x1f), (0x8b, 0x8b)]),
    (
        Packing::Bzip2,
        &[
            (b'B', b'B'),
            (b'Z', b'Z'),
            (b'h', b'h'),
            (b'1', b'9'),
            (0x31, 0x31),
            (0x41, 0x41),
            (0x59, 0x59),
            (0x26, 0x26),
            (0x53, 0x53),
            (0x59, 0x59),
        ],
    ),
    (
        Packing::Bzip2,
        &[
            (b'B', b'B'),
            (b'Z', b'Z'),
            (b'h', b'h'),
            (b'1', b'9'),
            (0x17, 0x17),
            (0x72, 0x72),
            (0x45, 0x45),
            (0x38, 0x38),
            (0x50, 0x50),
            (0x90, 0x90),
        ],
    ),
    (
        Packing::Zstd,
        &[(0x28, 0x28), (0xb5, 0xb5), (0x2f, 0x2f), (0xfd, 0xfd)],
    ),
    (
        Packing::Zstd,
        &[(0x50, 0x5f), (0x2a, 0x2a), (0x4d, 0x4d), (0x18, 0x18)],
    ),
];

/// Bytes by which a packed stream is told.
pub(crate) const BEGINNING_BYTES: usize = 10;

impl Packing {
    /// How a stream with this beginning is packed; `None` when it is not.
    pub(crate) fn of(beginning: &[u8]) -> Option<Self> {
        let found = BEGINNINGS
            .iter()
            .find(|(_, bytes)| beginning.len() >= bytes.len() && agree(beginning, bytes));
        found.map(|(packing, _)| *packing)
    }

    /// Whether more bytes after these could make it packed.
    fn is_open(beginning: &[u8]) -> bool {
        BEGINNINGS
            .iter()
            .any(|(_, bytes)| beginning.len() < bytes.len() && agree(beginning, bytes))
    }
}

fn agree(beginning: &[u8], bytes: &[(u8, u8)]) -> bool {
    let mut pairs = beginning.iter().zip(bytes);
    pairs.all(|(byte, (from, to))| (from..=to).contains(&byte))
}

/// The stream without its compression. Reads no further ahead than it must to tell how it is packed, so that what a
/// pipe gives is not held back.
pub(crate) fn unpack(mut stream: impl Read + Send + 'static) -> std::io::Result<Box<dyn Read + Send>> {
    let mut beginning = Vec::with_capacity(BEGINNING_BYTES);
    while Packing::is_open(&beginning) {
        if (&mut stream).take(1).read_to_end(&mut beginning)? == 0 {
            break;
        }
    }
    let packing = Packing::of(&beginning);
    let stream = Cursor::new(beginning).chain(stream);
    let Some(packing) = packing else {
        return Ok(Box::new(stream));
    };
    let stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(stream)),
        // Its window is at most 128 MiB unless more is allowed: a hostile frame cannot ask for all memory.
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stream)?),
    })
}

#[cfg(test)]
pub(crate) fn packed(packing: Packing, members: &[&[u8]]) -> Vec<u8> {
    use std::io::Write;
    let mut bytes = Vec::new();
    for member in members {
        bytes.extend(match packing {
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(member).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(member).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(*member, 1).unwrap(),
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut text = String::new();
        let stream = Cursor::new(bytes.to_vec());
        unpack(stream).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_member_of_every_packing_is_read() {
        for packing in [Packing::Gzip, Packing::Bzip2, Packing::Zstd] {
            let bytes = packed(packing, &[b"one\n", b"", b"two\n"]);
            assert_eq!(Packing::of(&bytes), Some(packing));
            assert_eq!(text(&bytes), "one\ntwo\n", "{packing:?}");
            assert_eq!(text(&packed(packing, &[b""])), "", "{packing:?}");
        }
        let mut skipped = vec![0x5e, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        skipped.extend(packed(Packing::Zstd, &[b"after"]));
        assert_eq!(text(&skipped), "after");
    }

    #[test]
    fn text_that_begins_like_a_header_is_text() {
        for plain in ["", "B", "BZh9", "BZh9 is a header", "BZh91AY", "P*M", "(", "{}"] {
            assert_eq!(text(plain.as_bytes()), plain);
        }
    }

    #[test]
    fn what_breaks_off_is_an_error_after_what_came_before() {
        for packing in [Packing::Gzip, Packing::Bzip2, Packing::Zstd] {
            let mut bytes = packed(packing, &[b"one\n", b"two\n"]);
            bytes.truncate(bytes.len() - 3);
            let mut out = Vec::new();
            let read = unpack(Cursor::new(bytes)).unwrap().read_to_end(&mut out);
            assert!(read.is_err() && out.starts_with(b"one\n"), "{packing:?}");
        }
    }

    #[test]
    fn a_first_byte_that_says_it_all_does_not_wait_for_the_next() {
        struct One(bool);
        impl Read for One {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                assert!(!std::mem::replace(&mut self.0, true), "asked for more");
                buffer[0] = b'x';
                Ok(1)
            }
        }
        let mut first = [0; 8];
        assert_eq!(unpack(One(false)).unwrap().read(&mut first).unwrap(), 1);
    }
}
