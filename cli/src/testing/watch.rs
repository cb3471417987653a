//! What changes, and which tests that asks for. Files are looked at by time and length, many times a second, instead of
//! having the system tell: it works on every file system, network ones included, and needs nothing but the standard library.
//! A project of a hundred files takes a fraction of a millisecond.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are looked at. A project has fewer; a folder of logs by mistake among them must not take all the time.
const FILES_MAX: usize = 50_000;

/// The files of a project, and what tells that one has changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    files: BTreeMap<PathBuf, (Option<SystemTime>, u64)>,
}

/// What has to run after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Everything: what changed may matter to any rule.
    Everything,
    /// These files of test events, by where they are, and those events that some of these rules must fire on.
    Only {
        files: BTreeSet<PathBuf>,
        rules: BTreeSet<String>,
    },
}

impl Touched {
    /// What both touch.
    pub(crate) fn with(self, other: Self) -> Self {
        let (
            Self::Only { mut files, mut rules },
            Self::Only {
                files: more,
                rules: others,
            },
        ) = (self, other)
        else {
            return Self::Everything;
        };
        files.extend(more);
        rules.extend(others);
        Self::Only { files, rules }
    }
}

impl Snapshot {
    /// Looks at files, and at all Python, JSON, TOML and template files below folders.
    pub(crate) fn of(paths: &[PathBuf]) -> Self {
        let mut snapshot = Self::default();
        let mut open: Vec<PathBuf> = paths.to_vec();
        while let Some(path) = open.pop() {
            if snapshot.files.len() >= FILES_MAX {
                break;
            }
            // Links are not followed within folders, as they may lead in circles; a path that was given may be one.
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                let entries = std::fs::read_dir(&path)
                    .into_iter()
                    .flatten()
                    .filter_map(Result::ok);
                let wanted = entries.filter(is_watched);
                open.extend(wanted.map(|entry| entry.path()));
            } else {
                snapshot
                    .files
                    .insert(path, (metadata.modified().ok(), metadata.len()));
            }
        }
        snapshot
    }

    /// The file counts as new when it is looked at again.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Some of the files, looked at again; answers whether they were as before.
    pub(crate) fn look_again(&mut self, paths: &BTreeSet<PathBuf>) -> bool {
        let paths: Vec<PathBuf> = paths.iter().cloned().collect();
        let now = Self::of(&paths);
        let same = paths
            .iter()
            .all(|path| self.files.get(path) == now.files.get(path));
        for path in &paths {
            self.files.remove(path);
        }
        self.files.extend(now.files);
        same
    }

    /// The files that are new, gone or different.
    pub(crate) fn changes(&self, newer: &Self) -> BTreeSet<PathBuf> {
        let differs = |path: &&PathBuf| self.files.get(*path) != newer.files.get(*path);
        self.files
            .keys()
            .chain(newer.files.keys())
            .filter(differs)
            .cloned()
            .collect()
    }
}

impl Snapshot {
    /// Looks at more files from now on.
    pub(crate) fn extend(&mut self, more: Self) {
        self.files.extend(more.files);
    }

    /// These files, but as `known` has them where it does.
    pub(crate) fn with_known(mut self, known: Self) -> Self {
        for (path, state) in &mut self.files {
            if let Some(before) = known.files.get(path) {
                *state = *before;
            }
        }
        self
    }
}

fn is_watched(entry: &std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let Ok(kind) = entry.file_type() else { return false };
    let extension = Path::new(&*name).extension().unwrap_or_default();
    let is_text = ["py", "json", "toml", "j2"]
        .iter()
        .any(|known| extension == *known);
    !name.starts_with('.') && name != "__pycache__" && (kind.is_dir() || is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn new_gone_and_longer_files_are_changes_and_hidden_ones_are_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let look = || Snapshot::of(&[folder.path().to_owned()]);
        write("a.py", "x");
        write("b.json", "x");
        let before = look();
        assert_eq!(before.changes(&look()), paths(&[]));
        write("a.py", "xx");
        write("c.toml", "x");
        write(".d.py", "x");
        write("e.log", "x");
        std::fs::remove_file(folder.path().join("b.json")).unwrap();
        let changed = before.changes(&look());
        let names: Vec<_> = changed.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["a.py", "b.json", "c.toml"]);
    }
}
