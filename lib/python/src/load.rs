use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use streamalert_detect::{PublisherPlan, RuleInfo, RuleSet};

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
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.message),
        }
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
    /// The file; empty when it is about no file.
    pub file: PathBuf,
    /// The line, from 1; 0 = unknown.
    pub line: u32,
    /// One line.
    pub message: String,
}

impl fmt::Display for LoadWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.as_os_str().is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// A worker's load report, as it sends it; `loader.py` writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) python: String,
    pub(crate) rules: Vec<LoadedRule>,
    pub(crate) errors: Vec<LoadedError>,
    pub(crate) warnings: Vec<LoadedWarning>,
    pub(crate) publishers: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoadedRule {
    name: String,
    description: String,
    logs: Option<Vec<String>>,
    datatypes: Vec<String>,
    outputs: Vec<String>,
    dynamic_outputs: bool,
    publishers: Option<LoadedPublishers>,
    merge_by_keys: Vec<String>,
    merge_window_mins: u32,
    merge_send_first: bool,
    req_subkeys: indexmap::IndexMap<String, Vec<String>>,
    matchers: u32,
    context: bool,
    disabled: bool,
    may_mutate: bool,
    file: PathBuf,
    line: u32,
    code_hash: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LoadedPublishers {
    All(Vec<String>),
    By(indexmap::IndexMap<String, Vec<String>>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoadedError {
    file: PathBuf,
    line: u32,
    kind: String,
    message: String,
    traceback: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoadedWarning {
    file: PathBuf,
    line: u32,
    message: String,
}

impl From<LoadedRule> for RuleInfo {
    fn from(rule: LoadedRule) -> Self {
        Self {
            name: rule.name.into(),
            description: rule.description.into(),
            logs: rule.logs.map(|logs| logs.into_iter().map(Arc::from).collect()),
            datatypes: rule.datatypes,
            outputs: rule
                .outputs
                .iter()
                .filter_map(|output| output.parse().ok())
                .collect(),
            dynamic_outputs: rule.dynamic_outputs,
            publishers: match rule.publishers {
                None => PublisherPlan::None,
                Some(LoadedPublishers::All(names)) => PublisherPlan::All(names),
                Some(LoadedPublishers::By(map)) => PublisherPlan::ByOutput(map),
            },
            merge_by_keys: rule.merge_by_keys.into(),
            merge_window_mins: rule.merge_window_mins,
            merge_send_first: rule.merge_send_first,
            req_subkeys: rule.req_subkeys,
            matchers: rule.matchers,
            context: rule.context,
            disabled: rule.disabled,
            staged: false,
            may_mutate: rule.may_mutate,
            file: rule.file,
            line: rule.line,
            code_hash: rule.code_hash.into(),
        }
    }
}

impl From<LoadedError> for LoadError {
    fn from(error: LoadedError) -> Self {
        let kind = if error.kind == "rule" {
            LoadErrorKind::InvalidRule
        } else {
            LoadErrorKind::Exception
        };
        Self {
            file: error.file,
            line: error.line,
            kind,
            message: error.message,
            traceback: error.traceback,
        }
    }
}

impl From<LoadedWarning> for LoadWarning {
    fn from(warning: LoadedWarning) -> Self {
        Self {
            file: warning.file,
            line: warning.line,
            message: warning.message,
        }
    }
}
