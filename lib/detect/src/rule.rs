use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_types::OutputName;

use crate::PublisherPlan;

/// What StreamAlert writes into alerts of a rule without a docstring.
pub const DEFAULT_DESCRIPTION: &str = "No rule description provided";

/// The place of a rule in its [`crate::RuleSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

impl RuleIndex {
    /// As an index into [`crate::RuleSet::rules`].
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for RuleIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Everything about a rule but its code.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    /// Name of the decorated function.
    pub name: Arc<str>,
    /// The raw docstring, or [`DEFAULT_DESCRIPTION`].
    pub description: Arc<str>,
    /// Log types it applies to. `None`: it has only `datatypes` and is a candidate for every log type.
    pub logs: Option<Vec<Arc<str>>>,
    /// Normalized types; with `logs: None` the rule runs on records that have at least one of them.
    pub datatypes: Vec<String>,
    /// Outputs of the form `service:descriptor`, without the implicit history output.
    pub outputs: Vec<OutputName>,
    /// Whether functions add outputs per record.
    pub dynamic_outputs: bool,
    /// Publishers by output.
    pub publishers: PublisherPlan,
    /// Keys whose values make alerts belong together.
    pub merge_by_keys: Arc<[String]>,
    /// Merge window in whole minutes; 0 = none.
    pub merge_window_mins: u32,
    /// Whether the first alert of a merge group goes out at once.
    pub merge_send_first: bool,
    /// Keys that must be dictionaries of the record and hold the sub-keys listed.
    pub req_subkeys: IndexMap<String, Vec<String>>,
    /// How many matcher functions it has.
    pub matchers: u32,
    /// Whether it takes a context as second argument.
    pub context: bool,
    /// Switched off by `@disable`; never evaluated.
    pub disabled: bool,
    /// Being tried out: its alerts go to the history only.
    pub staged: bool,
    /// Whether its code may change the record, and so gets a private copy.
    pub may_mutate: bool,
    /// The file, relative to the rule repository where it lies inside.
    pub file: PathBuf,
    /// Line of the function, from 1; 0 = unknown.
    pub line: u32,
    /// Hash of the code that the rule consists of, as its runtime defines it.
    pub code_hash: Arc<str>,
}

impl RuleInfo {
    /// A rule with a name and log types and nothing else.
    #[must_use]
    pub fn named(name: &str, logs: &[&str]) -> Self {
        Self {
            name: name.into(),
            description: DEFAULT_DESCRIPTION.into(),
            logs: Some(logs.iter().map(|log| Arc::from(*log)).collect()),
            datatypes: Vec::new(),
            outputs: Vec::new(),
            dynamic_outputs: false,
            publishers: PublisherPlan::None,
            merge_by_keys: Arc::from([]),
            merge_window_mins: 0,
            merge_send_first: false,
            req_subkeys: IndexMap::new(),
            matchers: 0,
            context: false,
            disabled: false,
            staged: false,
            may_mutate: false,
            file: PathBuf::new(),
            line: 0,
            code_hash: "".into(),
        }
    }

    /// Whether the rule is a candidate for records of this log type.
    #[must_use]
    pub fn applies_to(&self, log_type: &str) -> bool {
        !self.disabled
            && self
                .logs
                .as_ref()
                .is_none_or(|logs| logs.iter().any(|log| &**log == log_type))
    }
}
