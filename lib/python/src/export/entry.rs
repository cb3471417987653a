//! What a stored export depends on, and its file.
//!
//! Layout of the file: the magic line, the BLAKE3 hash of all that follows (32 bytes), then three parts, each after
//! its length (8 bytes, little endian): the dependencies as JSON, the load report as the worker sent it, the
//! document.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Observed;

const MAGIC: &[u8] = b"streamalert export 1\n";

const HASH_BYTES: usize = 32;

/// A larger file is not read just to see whether it is still the same.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A folder with more entries is not compared.
const NAMES_MAX: usize = 100_000;

/// What of a path loading depended on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReadKind {
    /// The bytes of a file.
    File,
    /// The names in a folder.
    Names,
    /// The names in a folder that an import could find.
    Modules,
}

/// When the system last changed a file or what is known about it, in seconds and nanoseconds. Unlike the time of
/// modification nobody can set it.
pub(super) type ChangeTime = (i64, i64);

pub(super) fn change_time(path: &Path) -> io::Result<ChangeTime> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.ctime(), metadata.ctime_nsec()))
}

/// What an entry depends on, with fingerprints.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Dependencies {
    reads: Vec<(ReadKind, PathBuf, String)>,
    environment: Vec<(String, String)>,
}

impl Dependencies {
    /// Takes the fingerprints; or says what stands against comparing later.
    pub(super) fn take(observed: &Observed, began: ChangeTime) -> Result<Self, String> {
        let mut reads = Vec::with_capacity(observed.reads.len());
        for (kind, path) in &observed.reads {
            let shown = path.display();
            let print = fingerprint(*kind, path).ok_or_else(|| format!("{shown} cannot be compared"))?;
            if change_time(path).is_ok_and(|changed| changed >= began) {
                return Err(format!("{shown} changed while it was loaded"));
            }
            reads.push((*kind, path.clone(), print));
        }
        let environment = observed
            .environment
            .iter()
            .map(|name| (name.clone(), variable(name)))
            .collect();
        Ok(Self { reads, environment })
    }

    /// Whether everything is as it was.
    pub(super) fn hold(&self) -> bool {
        self.environment.iter().all(|(name, was)| variable(name) == *was)
            && self
                .reads
                .iter()
                .all(|(kind, path, was)| fingerprint(*kind, path).is_some_and(|print| print == *was))
    }
}

fn variable(name: &str) -> String {
    use std::os::unix::ffi::OsStrExt;
    // `var_os` may panic on names that cannot be.
    if name.is_empty() || name.contains(['=', '\0']) {
        return "absent".into();
    }
    std::env::var_os(name).map_or_else(
        || "absent".into(),
        |value| blake3::hash(value.as_bytes()).to_hex().to_string(),
    )
}

/// What of a path is compared; `None` when it cannot be.
fn fingerprint(kind: ReadKind, path: &Path) -> Option<String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        // A part of the path may be a file, such as a zip archive in Python's path.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Some("absent".into());
        }
        Err(_) => return None,
    };
    match kind {
        ReadKind::File if metadata.is_dir() => Some("folder".into()),
        ReadKind::File => file_print(path, &metadata),
        ReadKind::Names | ReadKind::Modules if metadata.is_dir() => folder_print(kind, path),
        ReadKind::Names | ReadKind::Modules => file_print(path, &metadata),
    }
}

fn file_print(path: &Path, metadata: &Metadata) -> Option<String> {
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return None;
    }
    Some(blake3::hash(&std::fs::read(path).ok()?).to_hex().to_string())
}

fn folder_print(kind: ReadKind, path: &Path) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let bytes = name.as_bytes();
        let extension = Path::new(&name).extension().unwrap_or_default().as_bytes();
        let counts = bytes != b"__pycache__"
            && (kind == ReadKind::Names
                || matches!(
                    extension,
                    b"py" | b"pyc" | b"so" | b"pth" | b"egg-link" | b"zip" | b"egg"
                )
                || !bytes.starts_with(b".") && !entry.file_type().ok()?.is_file());
        if counts {
            // Paths in these files lead to further folders.
            let content = if kind == ReadKind::Modules && extension == b"pth" {
                std::fs::read(entry.path()).ok()?
            } else {
                Vec::new()
            };
            names.push((bytes.to_vec(), content));
        }
        if names.len() > NAMES_MAX {
            return None;
        }
    }
    names.sort();
    let mut hasher = blake3::Hasher::new();
    for (name, content) in &names {
        update_sized(&mut hasher, name);
        update_sized(&mut hasher, content);
    }
    Some(hasher.finalize().to_hex().to_string())
}

/// Adds bytes so that no two lists of them look the same.
pub(super) fn update_sized(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// An entry of the cache.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dependencies: Dependencies,
    /// The load report as the worker sent it.
    pub(super) loaded: Bytes,
    /// The document.
    pub(super) json: Bytes,
}

impl Entry {
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let dependencies = serde_json::to_vec(&self.dependencies)?;
        let mut body = Vec::with_capacity(dependencies.len() + self.loaded.len() + self.json.len() + 24);
        for part in [&dependencies[..], &self.loaded[..], &self.json[..]] {
            body.extend_from_slice(&(part.len() as u64).to_le_bytes());
            body.extend_from_slice(part);
        }
        let mut file = Vec::with_capacity(body.len() + MAGIC.len() + HASH_BYTES);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(blake3::hash(&body).as_bytes());
        file.append(&mut body);
        Ok(file)
    }

    /// `None`: not an entry, or not a whole one.
    pub(super) fn decode(file: &Bytes) -> Option<Self> {
        let rest = file.strip_prefix(MAGIC)?;
        let (hash, body) = rest.split_first_chunk::<HASH_BYTES>()?;
        if blake3::hash(body).as_bytes() != hash {
            return None;
        }
        let mut body = file.slice_ref(body);
        let mut part = || -> Option<Bytes> {
            let length = usize::try_from(u64::from_le_bytes(*body.first_chunk()?)).ok()?;
            let end = length.checked_add(8).filter(|end| *end <= body.len())?;
            let part = body.slice(8..end);
            body = body.slice(end..);
            Some(part)
        };
        let (dependencies, loaded, json) = (part()?, part()?, part()?);
        Some(Self {
            dependencies: serde_json::from_slice(&dependencies).ok()?,
            loaded,
            json,
        })
    }
}

#[cfg(test)]
mod tests;
