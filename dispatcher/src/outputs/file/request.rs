use crate::Publication;
use crate::outputs::jsonl;

/// The line to append, newline included.
pub(super) fn line(publication: &Publication, key: &str) -> Vec<u8> {
    jsonl::line(&publication.body, key)
}
