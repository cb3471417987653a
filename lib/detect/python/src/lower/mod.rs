//! From exported objects to a program.

use crate::export::Export;
use crate::program::Program;

/// An export that makes no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Another format.
    #[error("export version {found} cannot be read, only 1")]
    Version {
        /// The version found.
        found: u32,
    },
}

/// Compiles all rules. What is not known becomes a fallback point; a file that does not parse makes its functions
/// unknown.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(export: &Export) -> Result<Program, CompileError> {
    Err(CompileError::Version {
        found: export.version,
    })
}
