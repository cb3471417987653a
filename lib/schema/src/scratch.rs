use crate::Limits;

/// Buffers and memories of one classifying thread, used again and again so that the common path allocates only
/// what it returns. Any selection may be used with it.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) limits: Limits,
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
}
