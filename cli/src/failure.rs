//! Why a command did not do what it was asked, and how that is told.

use streamalert_config::Problem;

/// A command's failure. Prints without a backtrace and without the word "error" twice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration has errors; each is one line with file, line, key and fix.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// Anything else, in one line.
    #[error("{0}")]
    Other(String),
    /// The command ran and its answer is "no": tests failed, something was not delivered. Already told.
    #[error("")]
    Told,
}

impl Failure {
    /// A failure with what was being done in front of its cause.
    pub(crate) fn while_doing(doing: &str, cause: impl std::fmt::Display) -> Self {
        Self::Other(format!("{doing}: {cause}"))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
