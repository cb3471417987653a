use streamalert_config::Problem;
use streamalert_detect::RuleException;
use streamalert_python::LoadError;
use streamalert_schema::Failure;
use streamalert_value::Value;

use super::publisher_test::Unmet;

/// Values longer than this are cut where people read them; `--json` has them whole.
const SHOWN_CHARS_MAX: usize = 2_000;

/// One way in which an event did not do what its test says.
#[derive(Debug)]
pub(crate) enum Mismatch {
    /// The file cannot be read, or holds no events.
    File(Problem),
    /// The event cannot be run.
    Invalid(Vec<Problem>),
    /// A file of rules, matchers or publishers does not load.
    NotLoaded(LoadError),
    /// No cluster file has its source.
    Source { wanted: String, known: Vec<String> },
    /// It became another log type, or none.
    Classification {
        expected: String,
        actual: Vec<String>,
        /// Why the expected log type did not take it, where that is known.
        refusal: Option<String>,
        /// What no log type took.
        refused: Vec<Failure>,
    },
    /// Other rules fired than expected.
    Rules {
        matched: Vec<String>,
        missing: Vec<(String, Silence)>,
        unexpected: Vec<(String, String)>,
    },
    /// An output would get something else than expected.
    Publisher(PublisherMismatch),
}

/// Why a rule that should have fired did not.
#[derive(Debug)]
pub(crate) enum Silence {
    /// There is no such rule; the text says what may be meant, or why it did not load.
    Absent(String),
    /// It does not look at this log type.
    OtherLogs(Vec<String>),
    /// It ran and said no.
    False,
    /// Datatypes, required sub-keys or a matcher kept it from running.
    NotRun,
    /// It raised.
    Raised(RuleException),
    /// It was stopped, or is suspended.
    Stopped(String),
}

/// A publisher test that does not hold.
#[derive(Debug)]
pub(crate) struct PublisherMismatch {
    pub(crate) output: String,
    pub(crate) line: usize,
    pub(crate) expression: String,
    /// The rule whose alert came closest; none when there is no alert for the output.
    pub(crate) rule: Option<String>,
    pub(crate) unmet: Unmet,
}

/// One line of a description, with its part in the difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) mark: Mark,
    pub(crate) text: String,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Heading,
    Detail,
    /// Expected and not there: `-`.
    Expected,
    /// There and not expected: `+`.
    Actual,
}

impl Mark {
    /// How lines of this kind begin.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Heading => "",
            Self::Detail => "    ",
            Self::Expected => "  - ",
            Self::Actual => "  + ",
        }
    }
}

impl Mismatch {
    /// One word for machines.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Invalid(_) => "invalid",
            Self::NotLoaded(_) => "not_loaded",
            Self::Source { .. } => "source",
            Self::Classification { .. } => "classification",
            Self::Rules { .. } => "rules",
            Self::Publisher(_) => "publisher",
        }
    }

    /// The difference, line by line, the heading first.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = Lines::default();
        match self {
            Self::File(problem) => lines.push(Mark::Heading, problem.to_string()),
            Self::Invalid(problems) => {
                lines.push(Mark::Heading, "the test event is malformed");
                for problem in problems {
                    lines.push(Mark::Detail, problem.to_string());
                }
            }
            Self::NotLoaded(error) => {
                lines.push(Mark::Heading, &error.message);
                for line in of_user(&error.traceback) {
                    lines.push(Mark::Detail, line);
                }
            }
            Self::Source { wanted, known } => {
                lines.push(Mark::Heading, format!("no cluster file has the source {wanted}"));
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                lines.push(Mark::Detail, format!("known are: {known}"));
            }
            Self::Classification {
                expected,
                actual,
                refusal,
                refused,
            } => {
                lines.classification(expected, actual, refusal.as_deref(), refused);
            }
            Self::Rules {
                matched,
                missing,
                unexpected,
            } => lines.rules(matched, missing, unexpected),
            Self::Publisher(mismatch) => lines.publisher(mismatch),
        }
        lines.0
    }

    /// All of it as plain text.
    pub(crate) fn text(&self) -> String {
        let lines = self
            .lines()
            .into_iter()
            .map(|line| format!("{}{}", line.mark.prefix(), line.text));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn push(&mut self, mark: Mark, text: impl Into<String>) {
        self.0.push(Line {
            mark,
            text: text.into(),
        });
    }

    fn classification(
        &mut self,
        expected: &str,
        actual: &[String],
        refusal: Option<&str>,
        refused: &[Failure],
    ) {
        self.push(Mark::Heading, "log type (- expected, + found)");
        self.push(Mark::Expected, expected);
        match actual {
            [] => self.push(Mark::Actual, "none: no schema takes it"),
            actual => actual
                .iter()
                .for_each(|log_type| self.push(Mark::Actual, log_type)),
        }
        let is_nearest = |failure: &Failure| {
            failure
                .nearest
                .as_ref()
                .is_some_and(|near| near.log_type == expected)
        };
        if let Some(refusal) = refusal.filter(|_| !refused.iter().any(is_nearest)) {
            self.push(Mark::Detail, format!("{expected}: {refusal}"));
        }
        for failure in refused {
            let Some(nearest) = &failure.nearest else {
                if refusal.is_none() {
                    self.push(Mark::Detail, &failure.reason);
                }
                continue;
            };
            self.push(Mark::Detail, format!("nearest schema is {}", nearest.log_type));
            for (word, keys) in [
                ("missing", &nearest.missing),
                ("unexpected", &nearest.unexpected),
                ("wrong type", &nearest.wrong_type),
            ] {
                if !keys.is_empty() {
                    self.push(Mark::Detail, format!("  {word}: {}", keys.join(", ")));
                }
            }
        }
    }

    fn rules(&mut self, matched: &[String], missing: &[(String, Silence)], unexpected: &[(String, String)]) {
        self.push(Mark::Heading, "rules (- expected, + fired)");
        for name in matched {
            self.push(Mark::Detail, name);
        }
        for (name, silence) in missing {
            self.push(Mark::Expected, format!("{name}: {}", silence.reason()));
            if let Silence::Raised(raised) = silence {
                for line in of_user(&raised.traceback) {
                    self.push(Mark::Detail, format!("  {line}"));
                }
            }
        }
        for (name, place) in unexpected {
            let place = if place.is_empty() {
                String::new()
            } else {
                format!(" ({place})")
            };
            self.push(
                Mark::Actual,
                format!("{name}: fired, but is not among trigger_rules{place}"),
            );
        }
    }

    fn publisher(&mut self, mismatch: &PublisherMismatch) {
        let PublisherMismatch {
            output,
            line,
            expression,
            rule,
            unmet,
        } = mismatch;
        let of_rule = rule
            .as_ref()
            .map(|rule| format!(", alert of {rule}"))
            .unwrap_or_default();
        self.push(
            Mark::Heading,
            format!("publisher test of {output}, line {line}{of_rule}"),
        );
        match unmet {
            Unmet::Invalid(reason) if expression.is_empty() => self.push(Mark::Detail, reason),
            Unmet::Invalid(reason) => self.push(Mark::Detail, format!("{expression}: {reason}")),
            Unmet::Differs(difference) => {
                self.push(Mark::Detail, format!("{expression} {}", difference.condition));
                self.push(Mark::Expected, shown(&difference.expected));
                self.push(Mark::Actual, shown(&difference.found));
            }
        }
    }
}

impl Silence {
    /// In a few words.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Absent(hint) if hint.is_empty() => "no such rule".to_owned(),
            Self::Absent(hint) => format!("no such rule; {hint}"),
            Self::OtherLogs(logs) => format!("did not run, as it only looks at {}", logs.join(", ")),
            Self::False => "did not fire".to_owned(),
            Self::NotRun => "did not run (datatypes, required sub-keys or a matcher)".to_owned(),
            Self::Raised(raised) => format!("raised {}: {}", raised.kind, raised.message),
            Self::Stopped(how) => how.clone(),
        }
    }
}

/// A traceback without the frames of our worker and of Python's import machinery, which say nothing about a rule.
fn of_user(traceback: &str) -> impl Iterator<Item = &str> {
    let mut ours = false;
    traceback.lines().filter(move |line| {
        if line.starts_with("  File ") {
            ours = line.contains("_streamalert_worker")
                || line.contains("<frozen importlib")
                || line.contains("/importlib/__init__.py");
        } else if !line.starts_with("    ") {
            ours = false;
        }
        !ours
    })
}

/// A value on one line, cut where nobody would read on.
fn shown(value: &Value) -> String {
    let text = value.to_json();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{} … ({} bytes)", &text[..at], text.len()),
        None => text,
    }
}
