//! Which files of lines were read before, under which names, and how far.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Generation;
use crate::medium::Look;

/// A file that was read before, by this run or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownFile {
    /// The name under which it is checkpointed: the path at which it was first seen, and what tells it from others.
    pub(crate) partition: Arc<str>,
    /// How often its contents were begun anew.
    begun: u32,
    /// Where to go on.
    pub(crate) from: u64,
    /// It was read to its end, all of which was acknowledged.
    pub(crate) finished: bool,
    /// This run's reading of it.
    pub(crate) generation: Option<Generation>,
}

/// Files by what tells them from others, so that a renamed one is found again.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles(BTreeMap<String, KnownFile>);

impl KnownFiles {
    /// From the checkpoints of earlier runs: partition, place, finished.
    pub(crate) fn from_checkpoints(checkpoints: Vec<(String, u64, bool)>) -> Self {
        let mut known = Self::default();
        for (partition, from, finished) in checkpoints {
            let Some((id, begun)) = parse(&partition) else {
                continue;
            };
            if known.0.get(id).is_none_or(|older| older.begun < begun) {
                let file = KnownFile {
                    partition: partition.as_str().into(),
                    begun,
                    from,
                    finished,
                    generation: None,
                };
                known.0.insert(id.to_owned(), file);
            }
        }
        known
    }

    /// The file that a look found, ready to be read on. Where it is shorter than what was read of it, it was
    /// truncated and is read anew, under a new name: its places must not be taken for those of what was there.
    pub(crate) fn find(&mut self, id: &str, look: &Look) -> &mut KnownFile {
        let file = self
            .0
            .entry(id.to_owned())
            .or_insert_with(|| KnownFile::new(id, look, 0));
        if !look.packed && look.length < file.from {
            *file = KnownFile::new(id, look, file.begun + 1);
        }
        file
    }
}

impl KnownFile {
    fn new(id: &str, look: &Look, begun: u32) -> Self {
        let suffix = if begun == 0 {
            String::new()
        } else {
            format!("~{begun}")
        };
        let partition = format!("{}#{id}{suffix}", look.path).into();
        Self {
            partition,
            begun,
            from: 0,
            finished: false,
            generation: None,
        }
    }
}

/// Id and number of beginnings of a partition.
fn parse(partition: &str) -> Option<(&str, u32)> {
    let (_, told_by) = partition.rsplit_once('#')?;
    match told_by.split_once('~') {
        Some((id, begun)) => Some((id, begun.parse().ok()?)),
        None => Some((told_by, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(length: u64, path: &str) -> Look {
        Look {
            id: Some("id".to_owned()),
            length,
            packed: false,
            path: path.to_owned(),
        }
    }

    #[test]
    fn a_renamed_file_keeps_the_name_it_was_first_seen_under() {
        let mut known = KnownFiles::from_checkpoints(vec![("/a#b#id".to_owned(), 7, true)]);
        let file = known.find("id", &look(9, "/c")).clone();
        assert_eq!((&*file.partition, file.from, file.finished), ("/a#b#id", 7, true));
    }

    #[test]
    fn a_truncated_file_gets_a_new_name_each_time() {
        let mut known = KnownFiles::default();
        known.find("id", &look(9, "/a")).from = 9;
        assert_eq!(&*known.find("id", &look(9, "/a")).partition, "/a#id");
        let anew = known.find("id", &look(3, "/a"));
        assert_eq!((&*anew.partition, anew.from), ("/a#id~1", 0));
        anew.from = 3;

        let checkpoints = vec![("/a#id~1".to_owned(), 3, false), ("/a#id".to_owned(), 9, false)];
        let mut known = KnownFiles::from_checkpoints(checkpoints);
        let file = known.find("id", &look(5, "/a"));
        assert_eq!(
            (&*file.partition, file.from),
            ("/a#id~1", 3),
            "the last beginning counts"
        );
        assert_eq!(&*known.find("id", &look(2, "/a")).partition, "/a#id~2");
    }

    #[test]
    fn places_in_a_compressed_file_say_nothing_about_its_length() {
        let mut known = KnownFiles::from_checkpoints(vec![("/a.gz#id".to_owned(), 1_000, false)]);
        let packed = Look {
            packed: true,
            ..look(50, "/a.gz")
        };
        assert_eq!(known.find("id", &packed).from, 1_000);
    }
}
