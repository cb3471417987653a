use std::path::PathBuf;

use crate::answer::Answer;

/// A module and the records to evaluate its rules on, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Case {
    /// The folder that the module imports others from, if any.
    pub root: Option<PathBuf>,
    /// The module's text.
    pub source: String,
    /// The records as JSON texts.
    pub records: Vec<String>,
}

/// How an engine is to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Every rule on every record.
    IndexOff,
    /// Only rules that the dispatch index does not rule out; the others answer false, or whatever they would.
    IndexOn,
    /// As with the index off, and some pairs are left to CPython at points that this seed chooses.
    ForcedFallback(u64),
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The module does not load, and why.
    NotLoaded(String),
    /// The rules' names in order of definition, and for every record an answer of each.
    Loaded(Vec<String>, Vec<Vec<Answer>>),
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It took longer than the limit.
    Hang,
    /// The engine is gone; what is known about it.
    Gone(String),
}

/// An engine that evaluates rules.
pub trait Subject {
    /// What to call it in reports.
    fn name(&self) -> String;

    /// Starts the evaluation of a case where it can run beside others; `finish` follows with the same arguments.
    fn begin(&mut self, _case: &Case, _mode: Mode) {}

    /// Evaluates a case.
    ///
    /// # Errors
    /// When it hangs or dies; the next case meets a new engine.
    fn finish(&mut self, case: &Case, mode: Mode) -> Result<Outcome, Trouble>;

    /// From now on cases are small: a long one is of no interest.
    fn hurry(&mut self) {}

    /// The modes that mean something to it.
    fn modes(&self, _seed: u64) -> Vec<Mode> {
        vec![Mode::IndexOff]
    }

    /// Begins and finishes.
    ///
    /// # Errors
    /// As `finish`.
    fn run(&mut self, case: &Case, mode: Mode) -> Result<Outcome, Trouble> {
        self.begin(case, mode);
        self.finish(case, mode)
    }
}
