//! Files as media: what identifies one, and its bytes without compression.
//!
//! Alert ids hang on a file's identity, so it must survive restarts, appending and renaming (logs are rotated by
//! renaming), and must not be that of another file, whose lines would be taken for ones that were read already.
//! A file of lines is told by its inode, the time of its creation and its first line. What this cannot tell is a
//! log that was copied and truncated, begins with the same line again and has grown past its old length before
//! anyone looked; let such logs be rotated by renaming.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use crate::packing::{self, BEGINNING_BYTES, Packing};

/// How much of a file's beginning takes part in its identity.
const IDENTITY_BYTES: u64 = 4096;
/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// What kind of file is read, which decides what makes it another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Lines, to which more may be appended. Identified by inode, creation and first line.
    Lines,
    /// An object, written once. Identified by path, length and beginning.
    Object,
}

/// What a look at a file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// Tells it from others; `None` when nothing of it is there yet to tell it by.
    pub(crate) id: Option<String>,
    /// Bytes of it, as stored.
    pub(crate) length: u64,
    /// It is compressed, so that places in it say nothing about its length.
    pub(crate) packed: bool,
    /// Where it is, without symbolic links.
    pub(crate) path: String,
}

/// Looks at a file. One that is `settled` will not grow, so that a beginning of a line is as good as a whole one.
pub(crate) fn look(path: &Path, kind: FileKind, settled: bool) -> std::io::Result<Look> {
    let path = path.canonicalize()?;
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    let length = metadata.len();
    let mut beginning = Vec::new();
    file.take(IDENTITY_BYTES).read_to_end(&mut beginning)?;
    let packed = Packing::of(&beginning).is_some();
    let path = path.display().to_string();
    let id = match kind {
        FileKind::Object => Some(hash(&[path.as_bytes(), &length.to_le_bytes(), &beginning])),
        FileKind::Lines => first_line(&beginning, settled).map(|line| {
            hash(&[
                &metadata.ino().to_le_bytes(),
                &created_nanos(&metadata).to_le_bytes(),
                line,
            ])
        }),
    };
    Ok(Look {
        id,
        length,
        packed,
        path,
    })
}

fn first_line(beginning: &[u8], settled: bool) -> Option<&[u8]> {
    match memchr::memchr(b'\n', beginning) {
        Some(end) => Some(&beginning[..end]),
        None if settled || beginning.len() as u64 == IDENTITY_BYTES => Some(beginning),
        // It may still grow, and then be another first line.
        None => None,
    }
}

/// Inodes are used again, often at once, but not with the same time of creation. 0 where none is kept.
fn created_nanos(metadata: &Metadata) -> u128 {
    let since = metadata
        .created()
        .ok()
        .and_then(|created| created.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos())
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// Counts the bytes taken from the medium.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The bytes of a file from `offset` on, unpacked when it is packed. The offset counts unpacked bytes; `count` is told
/// how many stored ones have been read or skipped.
pub(crate) fn open(
    path: &Path,
    offset: u64,
    count: &Arc<AtomicU64>,
) -> std::io::Result<Box<dyn Read + Send>> {
    let count = count.clone();
    if path.as_os_str() == STDIN {
        let inner = std::io::stdin();
        return unpacked(Counted { inner, count }, offset);
    }
    let mut file = File::open(path)?;
    let mut beginning = Vec::new();
    (&mut file)
        .take(BEGINNING_BYTES as u64)
        .read_to_end(&mut beginning)?;
    if Packing::of(&beginning).is_some() {
        file.rewind()?;
        return unpacked(Counted { inner: file, count }, offset);
    }
    file.seek(SeekFrom::Start(offset))?;
    count.fetch_add(offset, Ordering::Relaxed);
    Ok(Box::new(Counted { inner: file, count }))
}

fn unpacked(stream: impl Read + Send + 'static, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
    let mut stream = packing::unpack(stream)?;
    std::io::copy(&mut (&mut stream).take(offset), &mut std::io::sink())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn id(path: &Path, settled: bool) -> Option<String> {
        look(path, FileKind::Lines, settled).unwrap().id
    }

    #[test]
    fn a_file_of_lines_keeps_its_identity_while_it_grows_and_when_it_is_renamed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "first").unwrap();
        assert_eq!(id(&path, false), None);
        assert!(id(&path, true).is_some());
        std::fs::write(&path, "first\n").unwrap();
        let small = id(&path, false).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(&vec![b'x'; 10_000]).unwrap();
        assert_eq!(id(&path, false).unwrap(), small);
        let rotated = dir.path().join("log.1");
        std::fs::rename(&path, &rotated).unwrap();
        assert_eq!(id(&rotated, false).unwrap(), small);
        std::fs::write(&path, "first\n").unwrap();
        assert_ne!(
            id(&path, false).unwrap(),
            small,
            "another file of the same name and beginning"
        );
        std::fs::write(&rotated, "other\n").unwrap();
        assert_ne!(id(&rotated, false).unwrap(), small, "the same file, begun anew");
    }

    #[test]
    fn a_file_made_anew_in_the_place_of_a_deleted_one_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..5 {
            std::fs::write(&path, "header\n").unwrap();
            assert!(seen.insert(id(&path, false).unwrap()));
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn an_object_is_another_when_its_path_length_or_beginning_is() {
        let dir = tempfile::tempdir().unwrap();
        let id = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            look(&dir.path().join(name), FileKind::Object, true).unwrap().id
        };
        let first = id("a", "one");
        assert_eq!(id("a", "one"), first);
        let others = [id("b", "one"), id("a", "two"), id("a", "ones"), id("a", "")];
        assert!(others.iter().all(|other| *other != first));
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
        let stored = bytes.len() as u64;
        std::fs::write(&path, bytes).unwrap();
        assert!(look(&path, FileKind::Lines, true).unwrap().packed);
        let (mut rest, count) = (String::new(), Arc::default());
        open(&path, 3, &count).unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "34567");
        assert_eq!(count.load(Ordering::Relaxed), stored);
    }
}
