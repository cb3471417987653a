use streamalert_value::Doc;

use crate::Limits;
use crate::extract::Found;
use crate::output::ParsedRecord;
use crate::plan::Refused;
use crate::pool::Pool;
use crate::shape::Shapes;

/// Buffers and memories of one classifying thread, used again and again so that the common path allocates only
/// what it returns. Any selection may be used with it.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) limits: Limits,
    /// The unit.
    pub(crate) root: Doc,
    /// What was unpacked.
    pub(crate) unpacked: Vec<u8>,
    pub(crate) work: Work,
}

/// Buffers for the units of a payload.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) pool: Pool,
    pub(crate) shapes: Shapes,
    pub(crate) extracted: Vec<Extracted>,
    pub(crate) extracted_used: usize,
    /// The envelope of the schema that is tried, as a member without its comma.
    pub(crate) envelope: Vec<u8>,
    /// The record that is being written.
    pub(crate) out: Vec<u8>,
    /// The normalization that is being written.
    pub(crate) normalization: Vec<u8>,
    /// A written record, read again because its normalization depends on conversions.
    pub(crate) reread: Doc,
    pub(crate) parsed: Vec<ParsedRecord>,
    pub(crate) misses: Vec<(usize, Miss)>,
}

/// The records that one way of extraction found in the current unit.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    pub(crate) extraction: usize,
    pub(crate) found: Vec<Found>,
    /// Why nothing was found.
    pub(crate) problem: Option<String>,
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Miss {
    /// It is no record for any schema.
    Problem,
    /// The schema does not take its keys, or it has none.
    Keys,
    /// Its values.
    Values(Refused),
}

impl Scratch {
    /// Empty buffers with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empty buffers with these limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Gives back what an unusually large payload has taken.
    pub(crate) fn trim(&mut self) {
        let kept = self.limits.kept_bytes_max;
        self.root.shrink_to(kept);
        self.work.reread.shrink_to(kept);
        for buffer in [
            &mut self.unpacked,
            &mut self.work.out,
            &mut self.work.normalization,
        ] {
            if buffer.capacity() > kept {
                *buffer = Vec::new();
            }
        }
    }
}
