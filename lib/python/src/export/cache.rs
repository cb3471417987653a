use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::entry::{Dependencies, Entry};
use super::key::Key;
use super::{Export, Fresh, version};
use crate::LoadReport;
use crate::load::Loaded;
use crate::start::report;

/// Entries that are kept: branches and versions of a repository between which its author goes back and forth.
const ENTRIES_MAX: usize = 8;

/// A larger file in the cache is none of ours.
const ENTRY_BYTES_MAX: u64 = 1 << 30;

const SUFFIX: &str = "export";

/// Stored exports in a folder, by what they were made of. What it answers is what exporting again would; see
/// [the module](super) for the limits of that.
#[derive(Debug, Clone)]
pub struct ExportCache {
    dir: PathBuf,
}

impl ExportCache {
    /// In this folder, which is made when the first entry is stored. Processes may share it.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.dir.join(&key.0).with_extension(SUFFIX)
    }

    /// The entry of a key whose dependencies are as they were.
    pub(super) async fn find(&self, key: &Key) -> Option<(LoadReport, Export)> {
        let path = self.path(key);
        let entry = tokio::task::spawn_blocking(move || {
            let entry = read(&path)?;
            entry.dependencies.hold().then_some(entry)
        });
        let entry = entry.await.ok().flatten()?;
        let loaded: Loaded = serde_json::from_slice(&entry.loaded).ok()?;
        let report = report(loaded, Vec::new()).ok()?;
        let python = version(&report.python_version)?;
        let export = Export {
            json: entry.json,
            python,
            not_reusable: Vec::new(),
            from_cache: true,
        };
        Some((report, export))
    }

    /// Stores an export, unless something stands against it, which is then noted in the export.
    pub(super) async fn keep(&self, key: &Key, fresh: &mut Fresh) {
        if !fresh.export.not_reusable.is_empty() {
            return;
        }
        let (path, observed) = (self.path(key), std::mem::take(&mut fresh.observed));
        let (loaded, json, began) = (fresh.loaded.clone(), fresh.export.json.clone(), fresh.began);
        let stored = tokio::task::spawn_blocking(move || {
            let entry = Entry {
                dependencies: Dependencies::take(&observed, began)?,
                loaded,
                json,
            };
            write(&path, &entry).map_err(|error| format!("cannot write {}: {error}", path.display()))
        });
        if let Err(reason) = stored.await.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::debug!(%reason, "export of the rules is not kept");
            fresh.export.not_reusable.push(reason);
        }
    }
}

fn read(path: &Path) -> Option<Entry> {
    let metadata = path.metadata().ok()?;
    if metadata.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let entry = Entry::decode(&Bytes::from(std::fs::read(path).ok()?));
    if entry.is_none() {
        tracing::warn!(path = %path.display(), "stored export of the rules is damaged and is made anew");
    }
    entry
}

/// Under another name first, so that no reader sees half of it.
fn write(path: &Path, entry: &Entry) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix(".export-").tempfile_in(dir)?;
    file.write_all(&entry.encode()?)?;
    file.persist(path).map_err(|error| error.error)?;
    forget_old(dir, path)
}

/// Removes all but the newest entries; `kept` counts as the newest.
fn forget_old(dir: &Path, kept: &Path) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX) && path != kept {
            // One that another process removes meanwhile is gone as wanted.
            if let Ok(modified) = path.metadata().and_then(|metadata| metadata.modified()) {
                entries.push((modified, path));
            }
        }
    }
    entries.sort();
    let surplus = (entries.len() + 1).saturating_sub(ENTRIES_MAX);
    for (_, path) in entries.iter().take(surplus) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
