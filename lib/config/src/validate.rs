use crate::problem::{Problem, sort};
use crate::{Conf, IgnoredKeys, Settings};

/// What other parts of the program know, for cross references.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Every log type in force, built-in and from `conf/schemas`, such as `cloudtrail:events`.
    pub log_types: &'a [String],
    /// The rules that were loaded; empty when they were not.
    pub rules: &'a [RuleReference],
    /// Every publisher that rules and settings may name.
    pub publishers: &'a [String],
}

/// What one rule refers to.
#[derive(Debug, Clone, Default)]
pub struct RuleReference {
    /// The rule's name.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// The line of its decorator, from 1; 0 when not known.
    pub line: usize,
    /// `logs` of its decorator.
    pub logs: Vec<String>,
    /// `outputs` of its decorator.
    pub outputs: Vec<String>,
    /// Whether functions add outputs.
    pub dynamic_outputs: bool,
    /// Names in `publishers` of its decorator.
    pub publishers: Vec<String>,
    /// Services and outputs that `publishers` of its decorator is a dictionary of.
    pub published: Vec<String>,
}

/// Everything that can be said of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Errors and warnings, those of one file together.
    pub problems: Vec<Problem>,
    /// Keys of StreamAlert that mean nothing here: notes, not warnings.
    pub ignored: Vec<IgnoredKeys>,
}

impl Report {
    /// Whether anything stops the start.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

mod references;

/// What is wrong with rules that were loaded: outputs and publishers that nobody has, first of all.
#[must_use]
pub fn validate_rules(conf: &Conf, settings: &Settings, known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    references::rules(conf, settings, known, &mut problems);
    sort(&mut problems);
    problems
}

/// Judges a configuration, one that [`Conf::examine`] found broken too: its own problems and every reference from
/// one part to another.
#[must_use]
pub fn validate(conf: &Conf, settings: &Settings, known: &Known<'_>) -> Report {
    let mut problems = conf.problems.clone();
    references::data_sources(conf, known, &mut problems);
    references::threat_intel(conf, &mut problems);
    references::lookup_tables(conf, settings, &mut problems);
    references::outputs(conf, settings, &mut problems);
    references::sources(conf, settings, &mut problems);
    references::undelivered(conf, settings, known, &mut problems);
    references::rules(conf, settings, known, &mut problems);
    references::output_publishers(settings, known, &mut problems);
    references::redacted_outputs(conf, settings, &mut problems);
    references::paths(settings, &mut problems);
    references::locations(conf, settings, &mut problems);
    sort(&mut problems);
    Report {
        problems,
        ignored: conf.ignored.clone(),
    }
}
