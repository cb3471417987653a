use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use streamalert_detect::RuleSet;

/// What came of loading the user's files.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// The rules that loaded.
    pub rules: Arc<RuleSet>,
    /// Names of the registered publishers.
    pub publishers: Vec<String>,
    /// Files and rules that did not load; everything else did.
    pub errors: Vec<LoadError>,
    /// What loaded but cannot mean what its author thinks.
    pub warnings: Vec<LoadWarning>,
    /// Version of the interpreter, such as `3.11.7`.
    pub python_version: String,
}

/// A file or a rule that did not load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file, relative to the repository where it lies inside.
    pub file: PathBuf,
    /// The line, from 1; 0 = unknown.
    pub line: u32,
    /// What kind of failure.
    pub kind: LoadErrorKind,
    /// One line.
    pub message: String,
    /// Python's traceback, where there is one.
    pub traceback: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// What kind of failure a [`LoadError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// The file raised, a syntax or import error included.
    Exception,
    /// One rule of the file is not one; the others of the file loaded.
    InvalidRule,
    /// Importing took longer than [`crate::Limits::load`].
    TimedOut,
    /// Importing ended the process.
    Died,
}

/// Something that loaded but deserves a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadWarning {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 = unknown.
    pub line: u32,
    /// One line.
    pub message: String,
}

impl fmt::Display for LoadWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}
