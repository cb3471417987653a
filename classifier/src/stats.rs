//! What was classified since the start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamalert_stream::{ProgressWatch, SourceProgress, SourceReader, SourceStatus, StatusWatch};

use crate::taker::Taken;

/// Counters of a classifier.
#[derive(Debug, Clone, Default)]
pub struct ClassifierStats {
    /// Payloads taken apart.
    pub payloads: u64,
    /// Their bytes, as they came from the source.
    pub bytes: u64,
    /// Records by log type.
    pub records: BTreeMap<Arc<str>, u64>,
    /// What no schema took.
    pub dead_letters: u64,
    /// Payloads whose source may forget them.
    pub acknowledged: u64,
    /// How far each source is read, by its name.
    pub sources: BTreeMap<Arc<str>, SourceProgress>,
    /// What there is to tell of sources beyond that, by their names.
    pub statuses: BTreeMap<Arc<str>, SourceStatus>,
}

impl ClassifierStats {
    /// Records of all log types.
    #[must_use]
    pub fn records_total(&self) -> u64 {
        self.records.values().sum()
    }
}

/// Shared access to the counters.
#[derive(Clone, Default)]
pub struct StatsHandle(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    stats: ClassifierStats,
    sources: BTreeMap<Arc<str>, (ProgressWatch, StatusWatch)>,
}

impl std::fmt::Debug for StatsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StatsHandle").field(&self.snapshot()).finish()
    }
}

impl StatsHandle {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> ClassifierStats {
        let shared = self.shared();
        let mut stats = shared.stats.clone();
        let sources = shared.sources.iter();
        for (name, (progress, status)) in sources {
            stats.sources.insert(name.clone(), progress());
            stats.statuses.insert(name.clone(), status());
        }
        stats
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn taken(&self, bytes: usize, taken: &Taken) {
        let mut shared = self.shared();
        let stats = &mut shared.stats;
        stats.payloads += 1;
        stats.bytes += bytes as u64;
        stats.dead_letters += taken.letters.len() as u64;
        let mut rest = &taken.records[..];
        // Records of one unit share a log type, so count them in runs: one look-up a run.
        while let Some(first) = rest.first() {
            let run = rest
                .iter()
                .take_while(|record| Arc::ptr_eq(&record.log_type, &first.log_type))
                .count()
                .max(1);
            match stats.records.get_mut(&first.log_type) {
                Some(count) => *count += run as u64,
                None => {
                    stats.records.insert(first.log_type.clone(), run as u64);
                }
            }
            rest = &rest[run..];
        }
    }

    pub(crate) fn watch(&self, source: &dyn SourceReader) {
        let watches = (source.watch(), source.watch_status());
        self.shared().sources.insert(source.name().into(), watches);
    }

    pub(crate) fn acknowledged(&self) {
        self.shared().stats.acknowledged += 1;
    }
}
