//! Files as media: what identifies one, and its bytes without compression.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

/// How much of a file's beginning takes part in its identity.
const IDENTITY_BYTES: u64 = 4096;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What kind of file is read, which decides what makes it another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Lines, to which more may be appended. Identified by path, inode and first line: a log that was rotated
    /// away, or begun anew, is another file.
    Lines,
    /// An object, written once. Identified by path, length and beginning.
    Object,
}

/// The name under which a file is checkpointed: stable over restarts, and over appending for [`FileKind::Lines`].
/// `None` when nothing of it is there yet to tell it by.
pub(crate) fn identity(path: &Path, kind: FileKind) -> std::io::Result<Option<Arc<str>>> {
    let path = path.canonicalize()?;
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    let mut beginning = Vec::new();
    file.take(IDENTITY_BYTES).read_to_end(&mut beginning)?;
    let told_by = match kind {
        FileKind::Object => {
            if beginning.is_empty() {
                return Ok(None);
            }
            hash(&beginning, metadata.len())
        }
        FileKind::Lines => {
            let first_line = match memchr::memchr(b'\n', &beginning) {
                Some(end) => &beginning[..end],
                None if beginning.len() as u64 == IDENTITY_BYTES => &beginning[..],
                // It may still grow, and then be another first line.
                None => return Ok(None),
            };
            hash(first_line, metadata.ino())
        }
    };
    Ok(Some(format!("{}#{told_by}", path.display()).into()))
}

/// Like [`identity`] for a file that will not grow: one that has no complete line yet is told by what there is.
pub(crate) fn identity_of_finished(path: &Path, kind: FileKind) -> std::io::Result<Arc<str>> {
    match identity(path, kind)? {
        Some(identity) => Ok(identity),
        None => {
            let text = std::fs::read(path)?;
            Ok(format!("{}#{}", path.canonicalize()?.display(), hash(&text, text.len() as u64)).into())
        }
    }
}

fn hash(bytes: &[u8], number: u64) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&number.to_le_bytes());
    hash.update(bytes);
    hash.finalize().to_hex()[..16].to_owned()
}

/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The bytes of a file from `offset` on, unpacked when it is gzip (all members). The offset counts unpacked bytes.
pub(crate) fn open(path: &Path, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == STDIN {
        return unpacked(BufReader::new(std::io::stdin()), offset);
    }
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&GZIP_MAGIC) {
        return unpacked(file, offset);
    }
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(file.into_inner()))
}

fn unpacked(mut stream: impl BufRead + Send + 'static, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
    let mut stream: Box<dyn Read + Send> = if stream.fill_buf()?.starts_with(&GZIP_MAGIC) {
        Box::new(MultiGzDecoder::new(stream))
    } else {
        Box::new(stream)
    };
    std::io::copy(&mut (&mut stream).take(offset), &mut std::io::sink())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_of_lines_keeps_its_identity_while_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "first").unwrap();
        assert_eq!(identity(&path, FileKind::Lines).unwrap(), None);
        std::fs::write(&path, "first\n").unwrap();
        let small = identity(&path, FileKind::Lines).unwrap().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(&vec![b'x'; 10_000]).unwrap();
        assert_eq!(identity(&path, FileKind::Lines).unwrap().unwrap(), small);
        std::fs::write(&path, "other\n").unwrap();
        assert_ne!(identity(&path, FileKind::Lines).unwrap().unwrap(), small);
    }

    #[test]
    fn compressed_files_go_on_at_an_unpacked_offset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.gz");
        let mut bytes = Vec::new();
        for member in ["0123", "4567"] {
            let mut encoder = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::default());
            encoder.write_all(member.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        let mut rest = String::new();
        open(&path, 3).unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "34567");
    }
}
