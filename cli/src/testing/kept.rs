use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::event::TestEvent;
use super::files::EventFile;
use super::helper::Helpers;
use super::runner::Prepared;

/// Events older than this are read anew: `<helper:last_hour>` must not get out of its hour.
const AGE_MAX_SECS: i64 = 600;

/// Files of test events that were read, with what their events became.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    files: BTreeMap<PathBuf, KeptFile>,
}

/// A file of test events.
#[derive(Debug)]
pub(crate) struct KeptFile {
    pub(crate) file: EventFile,
    /// Where it is, however it is named.
    pub(crate) place: PathBuf,
    /// Of each event; `None` before it is run.
    prepared: Vec<Option<Prepared>>,
    read_secs: i64,
}

impl Kept {
    /// The files, read where they are not known, in the order of `paths`.
    pub(crate) fn read(&mut self, paths: &[PathBuf], now_secs: i64) {
        let helpers = Helpers::at(now_secs);
        for path in paths {
            let is_fresh = |kept: &KeptFile| now_secs - kept.read_secs < AGE_MAX_SECS;
            if !self.files.get(path).is_some_and(is_fresh) {
                let file = EventFile::read(path, &helpers);
                let events = file.events.as_ref().map_or(0, Vec::len);
                let kept = KeptFile {
                    place: path.canonicalize().unwrap_or_else(|_| path.clone()),
                    prepared: (0..events).map(|_| None).collect(),
                    read_secs: now_secs,
                    file,
                };
                self.files.insert(path.clone(), kept);
            }
        }
    }

    /// A file that was read.
    pub(crate) fn get(&self, path: &Path) -> Option<&KeptFile> {
        self.files.get(path)
    }

    /// The same, to run its events.
    pub(crate) fn get_mut(&mut self, path: &Path) -> Option<&mut KeptFile> {
        self.files.get_mut(path)
    }

    /// A file that is read anew when it is asked for.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }
}

impl KeptFile {
    /// Its events; none when it is no file of test events.
    pub(crate) fn events(&mut self) -> impl Iterator<Item = (&TestEvent, &mut Option<Prepared>)> {
        self.file.events.iter().flatten().zip(&mut self.prepared)
    }
}
