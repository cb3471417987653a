mod dependencies;
mod files;
mod lexer;
mod links;
mod sources;

use std::fmt;
use std::path::Path;

/// Something to mend, or merely to note.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the repository.
    file: String,
    /// From 1.
    line: usize,
    is_note: bool,
    message: String,
}

impl Finding {
    fn error(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            is_note: false,
            message: message.into(),
        }
    }

    fn note(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            is_note: true,
            ..Self::error(file, line, message)
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        !self.is_note
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.is_note { "note: " } else { "" };
        write!(f, "{}:{}: {note}{}", self.file, self.line, self.message)
    }
}

/// Checks the repository at `root`.
pub(crate) fn run(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let members = dependencies::read(root)?;
    dependencies::check(&members, &mut findings);
    for file in files::list(root)? {
        files::check_name(&file, &mut findings);
        let is_rust = file.ends_with(".rs");
        if !is_rust && !file.ends_with(".md") {
            continue;
        }
        let text = std::fs::read_to_string(root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        if is_rust {
            files::check_length(&file, &text, &mut findings);
            sources::check(&file, &text, &mut findings);
        } else {
            links::check(root, &file, &text, &mut findings);
        }
    }
    findings.sort();
    Ok(findings)
}
