use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

/// Bytes at the end of a file that are searched for keys when it is opened. Only deliveries whose outcome was
/// not yet committed are repeated after a restart, and no more of them than a queue holds (4096 by default):
/// that many lines of 4 KiB. Reading it costs some tens of milliseconds, once per opening.
pub(super) const TAIL_BYTES_MAX: u64 = 16 << 20;

/// Keys known per file: sixteen such queues, about 3 MiB of memory.
pub(super) const KEYS_MAX: usize = 1 << 16;

/// Half a SHA-256 of an idempotency key, so that keys of any length take the same room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyHash([u8; 16]);

impl KeyHash {
    pub(super) fn of(key: &str) -> Self {
        let digest = digest(&SHA256, key.as_bytes());
        let half = digest.as_ref().first_chunk().expect("a SHA-256 has 32 bytes");
        Self(*half)
    }
}

/// The latest keys of one file.
#[derive(Debug)]
pub(super) struct KnownKeys {
    hashes: BTreeSet<KeyHash>,
    oldest_first: VecDeque<KeyHash>,
    max: usize,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self::at_most(KEYS_MAX)
    }
}

impl KnownKeys {
    /// None yet; the oldest goes when there are more than `max`.
    pub(super) fn at_most(max: usize) -> Self {
        Self {
            hashes: BTreeSet::new(),
            oldest_first: VecDeque::new(),
            max,
        }
    }

    /// The keys of the whole lines within the last `bytes` of `file`, whose length is `len`. A line that was
    /// cut off does not count, wherever it is; one that lacks only its newline does.
    pub(super) fn read(file: &File, len: u64, bytes: u64, max: usize) -> io::Result<Self> {
        let mut known = Self::at_most(max);
        let mut reader = file;
        // one byte more shows whether the first line begins exactly there
        let begin = len.saturating_sub(bytes).saturating_sub(1);
        reader.seek(SeekFrom::Start(begin))?;
        let mut reader = BufReader::with_capacity(1 << 16, reader.take(len - begin));
        let mut line = Vec::new();
        if len > bytes {
            reader.read_until(b'\n', &mut line)?;
            line.clear();
        }
        while reader.read_until(b'\n', &mut line)? > 0 {
            if let Ok(read) = serde_json::from_slice::<Line<'_>>(&line) {
                known.insert(KeyHash::of(&read.idempotency_key));
            }
            line.clear();
        }
        Ok(known)
    }

    pub(super) fn contains(&self, hash: &KeyHash) -> bool {
        self.hashes.contains(hash)
    }

    pub(super) fn insert(&mut self, hash: KeyHash) {
        if !self.hashes.insert(hash) {
            return;
        }
        self.oldest_first.push_back(hash);
        if self.oldest_first.len() > self.max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.hashes.remove(&oldest);
        }
    }

    /// Forgets the keys that are among `others`.
    pub(super) fn remove_all(&mut self, others: &Self) {
        if !others.is_empty() {
            self.hashes.retain(|hash| !others.contains(hash));
            self.oldest_first.retain(|hash| !others.contains(hash));
        }
    }

    pub(super) fn remove(&mut self, hash: &KeyHash) {
        if self.hashes.remove(hash) {
            self.oldest_first.retain(|other| other != hash);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = KeyHash> {
        self.oldest_first.iter().copied()
    }
}

/// What is read of a line; the rest only has to be JSON, which a line that was cut off is not.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    idempotency_key: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str, bytes: u64, max: usize) -> Vec<bool> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        std::fs::write(&path, text).unwrap();
        let file = File::open(path).unwrap();
        let known = KnownKeys::read(&file, text.len() as u64, bytes, max).unwrap();
        ["a", "b", "\"c\""]
            .iter()
            .map(|key| known.contains(&KeyHash::of(key)))
            .collect()
    }

    const LINES: &str = "{\"idempotency_key\":\"a\",\"n\":[1]}\n{\"idempotency_key\":\"b\"}\n{\"idempotency_key\":\"\\\"c\\\"\",\"n\":1e999}\n";

    #[test]
    fn keys_are_read_from_the_tail_alone_and_only_of_lines_that_begin_there() {
        let len = LINES.len() as u64;
        let first = LINES.find('\n').unwrap() as u64 + 1;
        assert_eq!(known(LINES, len + 1, 9), [true, true, true]);
        assert_eq!(known(LINES, len, 9), [true, true, true]);
        assert_eq!(known(LINES, len - 1, 9), [false, true, true]);
        assert_eq!(known(LINES, len - first, 9), [false, true, true]);
        assert_eq!(known(LINES, len - first - 1, 9), [false, false, true]);
        assert_eq!(known(LINES, 1, 9), [false, false, false]);
        assert_eq!(known("", 9, 9), [false, false, false]);
    }

    #[test]
    fn the_oldest_keys_go_when_there_are_too_many() {
        assert_eq!(known(LINES, 1000, 2), [false, true, true]);
        assert_eq!(known(&LINES.repeat(3), 1000, 1), [false, false, true]);
    }

    #[test]
    fn lines_that_were_cut_off_or_are_none_of_ours_do_not_count() {
        let torn = "{\"idempotency_key\":\"a\",\"n\":{}\n[1]\n\n\u{0}x\n{\"idempotency_key\":\"b\"}";
        assert_eq!(known(torn, 1000, 9), [false, true, false]);
    }

    #[test]
    fn a_line_counts_however_deep_its_record_is() {
        let depth = 5000;
        let text = format!(
            "{{\"idempotency_key\":\"a\",\"n\":{}{}}}\n",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert_eq!(known(&text, 1 << 20, 9), [true, false, false]);
    }
}
