use std::fmt;

use crate::Code;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The rule does not do what it says, or not at all.
    Error,
    /// It works, but hardly as meant.
    Warning,
}

impl Severity {
    /// As in output: `error` or `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// As the file was named to [`crate::lint`].
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Which check found it.
    pub code: Code,
    /// The rule whose code it is, where it is in one.
    pub rule: Option<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// How to mend it, in one line.
    pub fix: String,
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.check().severity
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = self.code.check();
        write!(
            f,
            "{}:{}:{}: {} {}: {}",
            self.file, self.line, self.column, check.id, check.name, self.message
        )?;
        if self.fix.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.fix)
        }
    }
}
