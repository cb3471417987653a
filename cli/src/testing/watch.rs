//! Which tests a change asks for. Files are looked at by time and length, a few times a second: it works on every file
//! system, network ones included, and a project's few thousand files cost some milliseconds.

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
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Everything: what changed may matter to any rule.
    Everything,
    /// These files of test events, and those that some of these rules must fire in.
    Only {
        files: BTreeSet<PathBuf>,
        rules: BTreeSet<String>,
    },
}

impl Snapshot {
    /// Looks at files, and at all Python, JSON and TOML files below folders.
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
    let is_text = ["py", "json", "toml"].iter().any(|known| extension == *known);
    !name.starts_with('.') && name != "__pycache__" && (kind.is_dir() || is_text)
}

/// The rules that a text may define: its functions at the margin.
pub(crate) fn functions(text: &str) -> impl Iterator<Item = &str> {
    let names = text.lines().filter_map(|line| line.strip_prefix("def "));
    names.filter_map(|rest| rest.split('(').next()).map(str::trim)
}

/// What changed files ask for. `event_files` are the known files of test events; `rules_of` tells the functions of a
/// rule's file before and after the change, and `None` of a file that is none.
pub(crate) fn touched(
    changes: &BTreeSet<PathBuf>,
    event_files: &BTreeSet<PathBuf>,
    mut rules_of: impl FnMut(&Path) -> Option<BTreeSet<String>>,
) -> Touched {
    let mut files = BTreeSet::new();
    let mut rules = BTreeSet::new();
    for path in changes {
        if event_files.contains(path) {
            files.insert(path.clone());
        } else if let Some(defined) = rules_of(path) {
            // Events that must not fire stand beside the rule, and mention nothing.
            files.insert(path.with_extension("json"));
            rules.extend(defined);
        } else {
            return Touched::Everything;
        }
    }
    Touched::Only { files, rules }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn asked(changes: &[&str]) -> Touched {
        let rules_of = |path: &Path| {
            path.ends_with("a.py")
                .then(|| ["a".to_owned(), "b".to_owned()].into())
        };
        touched(
            &paths(changes),
            &paths(&["rules/a.json", "rules/c.json"]),
            rules_of,
        )
    }

    #[test]
    fn a_rules_file_asks_for_the_tests_of_its_rules_and_those_beside_it() {
        let rules: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
        let files = paths(&["rules/a.json"]);
        assert_eq!(asked(&["rules/a.py"]), Touched::Only { files, rules });
    }

    #[test]
    fn a_file_of_events_asks_for_itself_and_anything_else_for_everything() {
        let files = paths(&["rules/c.json"]);
        let rules = BTreeSet::new();
        assert_eq!(asked(&["rules/c.json"]), Touched::Only { files, rules });
        assert_eq!(asked(&["rules/c.json", "conf/global.json"]), Touched::Everything);
        assert_eq!(asked(&["matchers/m.py"]), Touched::Everything);
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

    #[test]
    fn functions_are_those_at_the_margin() {
        let text = "@rule()\ndef one(record):\n    def inner(): pass\nclass C:\n    def m(self): pass\ndef two (x):\n";
        assert_eq!(functions(text).collect::<Vec<_>>(), ["one", "two"]);
    }
}
