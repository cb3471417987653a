//! What to read next in a folder whose files appear and grow: pure, told what a listing found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::medium::FileKind;

/// When a file has not grown for this long, a last line without an end is taken as it is: its writer has stopped,
/// or never ends its last line. Much longer than a writer pauses within a line.
const IDLE: Duration = Duration::from_secs(5);

/// The files of a folder, as far as they matter to what is read next.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    files: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
struct Entry {
    length: u64,
    /// When the length was last seen to change.
    changed: Instant,
    read: Option<Read>,
}

/// How a file was last read.
#[derive(Debug, Clone, Copy)]
struct Read {
    /// Its length then.
    length: u64,
    /// A last line without an end was left.
    rest: bool,
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) path: PathBuf,
    /// It will not grow any more, as far as one can tell.
    pub(crate) settled: bool,
}

impl Folder {
    /// What there is to read, in name order, after a listing of paths and lengths.
    pub(crate) fn listed(
        &mut self,
        listing: Vec<(PathBuf, u64)>,
        kind: FileKind,
        now: Instant,
    ) -> Vec<Visit> {
        let there: BTreeSet<_> = listing.iter().map(|(path, _)| path.clone()).collect();
        self.files.retain(|path, _| there.contains(path));
        let mut visits = Vec::new();
        for (path, length) in listing {
            let entry = self.files.entry(path.clone()).or_insert(Entry {
                length,
                changed: now,
                read: None,
            });
            if entry.length != length {
                (entry.length, entry.changed) = (length, now);
            }
            let idle = now.duration_since(entry.changed) >= IDLE;
            let unread = entry.read.is_none_or(|read| read.length != length);
            let visit = match kind {
                FileKind::Lines => unread || (idle && entry.read.is_some_and(|read| read.rest)),
                // An object that still grows is not complete. One look is no proof, two are some.
                FileKind::Object => unread && entry.changed < now,
            };
            if visit {
                visits.push(Visit {
                    path,
                    settled: idle || kind == FileKind::Object,
                });
            }
        }
        visits.sort_by(|a, b| a.path.cmp(&b.path));
        visits
    }

    /// Takes note that a file was read when it had `length`; whether a line without an end was left.
    pub(crate) fn read(&mut self, path: &Path, length: u64, rest: bool) {
        if let Some(entry) = self.files.get_mut(path) {
            entry.read = Some(Read { length, rest });
        }
    }
}

/// The files of a folder with their lengths; hidden ones and those that are being written by the custom of many
/// programs are left out.
pub(crate) fn list(dir: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut listing = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        // A file may go between being listed and being looked at.
        let Ok(metadata) = std::fs::metadata(&path) else {
            continue;
        };
        if metadata.is_file() && !is_temporary(&path) {
            listing.push((path, metadata.len()));
        }
    }
    Ok(listing)
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || name.ends_with('~')
        || [".tmp", ".part", ".swp"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(visits: &[Visit]) -> Vec<(&str, bool)> {
        visits
            .iter()
            .map(|visit| (visit.path.to_str().unwrap(), visit.settled))
            .collect()
    }

    fn listing(files: &[(&str, u64)]) -> Vec<(PathBuf, u64)> {
        files
            .iter()
            .map(|(path, length)| (path.into(), *length))
            .collect()
    }

    #[test]
    fn a_file_of_lines_is_visited_when_it_is_new_has_grown_or_shrunk() {
        let (mut folder, now) = (Folder::default(), Instant::now());
        let kind = FileKind::Lines;
        let first = folder.listed(listing(&[("b", 5), ("a", 5)]), kind, now);
        assert_eq!(paths(&first), [("a", false), ("b", false)]);
        folder.read(Path::new("a"), 5, false);
        folder.read(Path::new("b"), 4, false);
        assert_eq!(
            paths(&folder.listed(listing(&[("a", 5), ("b", 5)]), kind, now)),
            [("b", false)]
        );
        folder.read(Path::new("b"), 5, false);
        assert_eq!(
            paths(&folder.listed(listing(&[("a", 3), ("b", 5)]), kind, now)),
            [("a", false)]
        );
        assert_eq!(folder.listed(listing(&[("b", 5)]), kind, now), []);
        assert_eq!(
            paths(&folder.listed(listing(&[("a", 3), ("b", 5)]), kind, now)),
            [("a", false)]
        );
    }

    #[test]
    fn a_line_without_its_end_is_visited_again_once_its_file_is_idle() {
        let (mut folder, start) = (Folder::default(), Instant::now());
        let visit = |after, length, folder: &mut Folder| {
            let visits = folder.listed(listing(&[("a", length)]), FileKind::Lines, start + after);
            visits.first().map(|visit| visit.settled)
        };
        assert_eq!(visit(Duration::ZERO, 5, &mut folder), Some(false));
        folder.read(Path::new("a"), 5, true);
        assert_eq!(visit(IDLE / 2, 5, &mut folder), None);
        assert_eq!(visit(IDLE, 5, &mut folder), Some(true));
        assert_eq!(visit(IDLE, 6, &mut folder), Some(false), "it grew after all");
        folder.read(Path::new("a"), 6, true);
        assert_eq!(visit(IDLE * 3 / 2, 6, &mut folder), None);
        assert_eq!(visit(IDLE * 2, 6, &mut folder), Some(true));
        folder.read(Path::new("a"), 6, false);
        assert_eq!(visit(IDLE * 9, 6, &mut folder), None);
    }

    #[test]
    fn an_object_is_visited_once_its_length_stays() {
        let (mut folder, now) = (Folder::default(), Instant::now());
        let later = |polls| now + Duration::from_millis(250) * polls;
        let kind = FileKind::Object;
        assert_eq!(folder.listed(listing(&[("a", 5)]), kind, later(0)), []);
        assert_eq!(folder.listed(listing(&[("a", 9)]), kind, later(1)), []);
        assert_eq!(
            paths(&folder.listed(listing(&[("a", 9)]), kind, later(2))),
            [("a", true)]
        );
        folder.read(Path::new("a"), 9, false);
        assert_eq!(folder.listed(listing(&[("a", 9)]), kind, later(3)), []);
    }
}
