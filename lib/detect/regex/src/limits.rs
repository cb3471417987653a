//! A limit on everything that a pattern's author chooses.

/// Bytes of a pattern's source. CPython's recursion ends most longer ones; generated lists stay below it.
pub const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Groups and lookarounds within each other. Bounds the recursion of the parser and of the compilers.
pub const DEPTH_MAX: usize = 80;
/// Capture groups. Every one costs two slots per thread of the linear engine.
pub const GROUPS_MAX: usize = 200;
/// Characters that a lookbehind may look back.
pub const LOOKBEHIND_MAX: u64 = 10_000;
/// Bytes of one compiled linear program. The `regex` crate's own default.
pub const PROGRAM_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of one lazy DFA cache. The `regex` crate's own default.
pub const DFA_CACHE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Sum over all counted repetitions of what they unfold to. Bounds the time of a linear compilation, since
/// `((a{1000}){1000}){1000}` is short.
pub const UNFOLDED_MAX: u64 = 50_000;
/// Steps of the backtracking engine per search: some 10 ms.
pub const BACKTRACK_STEPS_MAX: u64 = 1_000_000;
/// Choices that the backtracking engine keeps, 32 bytes each.
pub const BACKTRACK_FRAMES_MAX: usize = 256 * 1024;

/// The limits that a caller may tighten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`PATTERN_BYTES_MAX`].
    pub pattern_bytes_max: usize,
    /// See [`PROGRAM_BYTES_MAX`]. 0: the backtracking engine runs every pattern, without a filter before it.
    pub program_bytes_max: usize,
    /// See [`BACKTRACK_STEPS_MAX`].
    pub backtrack_steps_max: u64,
    /// See [`BACKTRACK_FRAMES_MAX`].
    pub backtrack_frames_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            pattern_bytes_max: PATTERN_BYTES_MAX,
            program_bytes_max: PROGRAM_BYTES_MAX,
            backtrack_steps_max: BACKTRACK_STEPS_MAX,
            backtrack_frames_max: BACKTRACK_FRAMES_MAX,
        }
    }
}
