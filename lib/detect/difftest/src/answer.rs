use std::fmt;

/// What an engine says about one rule on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It ran to its end.
    Ran(Ran),
    /// Required sub-keys or a matcher kept it from running.
    NotRun,
    /// It raised.
    Raised {
        /// The exception's class.
        class: String,
        /// Its text, ASCII: other characters as JSON escapes them. Empty for recursion and memory errors.
        message: String,
    },
    /// The record is no JSON object.
    Unreadable,
    /// The dispatch index ruled it out: it is not run, or does not fire, and does not raise.
    Skipped,
    /// The engine leaves this pair to CPython. Counted, no difference.
    Fallback {
        /// What it does not know, in a few words.
        reason: String,
    },
}

/// What a rule answered and left behind. What an engine does not tell is `None` and not compared. Values are tagged
/// texts as `python/runner.py` writes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ran {
    /// Whether it fired.
    pub truth: bool,
    /// The value that it returned.
    pub value: Option<String>,
    /// Its context afterwards; empty when it has none.
    pub context: Option<String>,
    /// Its context as an alert has it: JSON. Told when it fired.
    pub alert: Option<String>,
    /// Its dynamic outputs; empty when it did not fire or has none.
    pub outputs: Option<String>,
    /// The record as it left it; empty when unchanged.
    pub record: Option<String>,
}

/// What two answers differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// One ran and the other was not run, raised, or could not read the record.
    Kind,
    /// Fired or not.
    Truth,
    /// The class of the exception.
    Class,
    /// The text of the exception.
    Message,
    /// The value returned.
    Value,
    /// The context.
    Context,
    /// The context as JSON.
    Alert,
    /// The dynamic outputs.
    Outputs,
    /// What became of the record.
    Record,
    /// One loads the module and the other does not, or it finds other rules.
    Load,
}

impl Answer {
    /// The first aspect in which two answers differ. Nothing differs from a fallback.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Aspect> {
        match (self, other) {
            (Self::Fallback { .. }, _)
            | (_, Self::Fallback { .. })
            | (Self::Skipped, Self::Skipped | Self::NotRun)
            | (Self::NotRun, Self::Skipped)
            | (Self::NotRun, Self::NotRun)
            | (Self::Unreadable, Self::Unreadable) => None,
            (Self::Ran(ran), Self::Skipped) | (Self::Skipped, Self::Ran(ran)) => {
                ran.truth.then_some(Aspect::Truth)
            }
            (Self::Ran(one), Self::Ran(two)) => one.difference(two),
            (
                Self::Raised { class, message },
                Self::Raised {
                    class: other_class,
                    message: other_message,
                },
            ) => {
                if class != other_class {
                    Some(Aspect::Class)
                } else {
                    (message != other_message).then_some(Aspect::Message)
                }
            }
            _ => Some(Aspect::Kind),
        }
    }

    /// A word for it: `true`, `false`, `not run`, `unreadable`, `fallback` or the exception's class.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Ran(ran) if ran.truth => "true",
            Self::Ran(_) => "false",
            Self::NotRun => "not run",
            Self::Raised { class, .. } => class,
            Self::Unreadable => "unreadable",
            Self::Skipped => "skipped",
            Self::Fallback { .. } => "fallback",
        }
    }
}

impl Ran {
    fn difference(&self, other: &Self) -> Option<Aspect> {
        let differ =
            |one: &Option<String>, two: &Option<String>| matches!((one, two), (Some(a), Some(b)) if a != b);
        if self.truth != other.truth {
            Some(Aspect::Truth)
        } else if differ(&self.value, &other.value) {
            Some(Aspect::Value)
        } else if differ(&self.context, &other.context) {
            Some(Aspect::Context)
        } else if differ(&self.alert, &other.alert) {
            Some(Aspect::Alert)
        } else if differ(&self.outputs, &other.outputs) {
            Some(Aspect::Outputs)
        } else {
            differ(&self.record, &other.record).then_some(Aspect::Record)
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Raised { message, .. } => write!(f, ": {message}"),
            Self::Fallback { reason } => write!(f, ": {reason}"),
            Self::Ran(ran) => {
                let parts = [
                    ("value", &ran.value),
                    ("context", &ran.context),
                    ("alert", &ran.alert),
                    ("outputs", &ran.outputs),
                    ("record", &ran.record),
                ];
                for (name, part) in parts {
                    if let Some(text) = part.as_ref().filter(|text| !text.is_empty()) {
                        write!(f, ", {name} {text}")?;
                    }
                }
                Ok(())
            }
            Self::NotRun | Self::Unreadable | Self::Skipped => Ok(()),
        }
    }
}
