use streamalert_value::Value;

use super::mismatch::{Mismatch, Silence};
use super::publisher_test::Unmet;
use super::tell::Heading;
use super::verdict::Verdict;
use crate::explain::{integer, object, text};

/// One result as one JSON object.
pub(crate) fn row(heading: &Heading<'_>, log: Option<&str>, verdict: &Verdict) -> Value {
    let mut row = object([
        ("file", text(&heading.file.display().to_string())),
        ("line", integer(heading.line as u64)),
        ("number", integer(heading.number as u64)),
        ("description", text(heading.description)),
        ("passed", Value::Bool(verdict.passed())),
        ("log", log.map_or(Value::Null, text)),
        ("classified", list(&verdict.classified)),
        ("expected_rules", list(&verdict.expected)),
        ("fired_rules", list(&verdict.fired)),
        ("missing_rules", list(verdict.expected.difference(&verdict.fired))),
        (
            "unexpected_rules",
            list(verdict.fired.difference(&verdict.expected)),
        ),
        ("disabled_rules", list(&verdict.disabled)),
        (
            "publisher_tests_held",
            integer(verdict.publisher_tests_held as u64),
        ),
        (
            "failures",
            Value::List(verdict.mismatches.iter().map(failure).collect()),
        ),
        ("notes", list(&verdict.notes)),
    ]);
    if let (Value::Map(row), false) = (&mut row, verdict.raised.is_empty()) {
        let raised = verdict.raised.iter().map(|(rule, raised)| {
            object([
                ("rule", text(rule)),
                ("exception", text(&raised.kind)),
                ("message", text(&raised.message)),
                ("traceback", text(&raised.traceback)),
            ])
        });
        row.insert("exceptions".to_owned(), Value::List(raised.collect()));
    }
    row
}

/// The kind, the text that people read, and what there is beyond it.
fn failure(mismatch: &Mismatch) -> Value {
    let mut failure = object([("kind", text(mismatch.kind())), ("text", text(&mismatch.text()))]);
    let Value::Map(map) = &mut failure else {
        return failure;
    };
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    match mismatch {
        Mismatch::Invalid(problems) => {
            let line = problems.first().map_or(0, |problem| problem.line);
            put("line", integer(line as u64));
        }
        Mismatch::File(problem) => _ = put("line", integer(problem.line as u64)),
        Mismatch::NotLoaded(error) => _ = put("line", integer(error.line.into())),
        Mismatch::Source { wanted, .. } => _ = put("source", text(wanted)),
        Mismatch::Classification {
            expected,
            actual,
            refused,
            ..
        } => {
            put("expected", text(expected));
            put("actual", list(actual));
            let nearest = refused.iter().find_map(|failure| failure.nearest.as_ref());
            if let Some(nearest) = nearest {
                let nearest = object([
                    ("log_type", text(&nearest.log_type)),
                    ("missing", list(&nearest.missing)),
                    ("unexpected", list(&nearest.unexpected)),
                    ("wrong_type", list(&nearest.wrong_type)),
                ]);
                put("nearest", nearest);
            }
        }
        Mismatch::Rules {
            missing, unexpected, ..
        } => {
            let reasons = missing
                .iter()
                .map(|(name, silence)| (name.clone(), text(&Silence::reason(silence))));
            put("missing", Value::Map(reasons.collect()));
            put("unexpected", list(unexpected.iter().map(|(name, _)| name)));
        }
        Mismatch::Publisher(mismatch) => {
            put("output", text(&mismatch.output));
            put("line", integer(mismatch.line as u64));
            put("expression", text(&mismatch.expression));
            put("rule", mismatch.rule.as_deref().map_or(Value::Null, text));
            if let Unmet::Differs(difference) = &mismatch.unmet {
                put("condition", text(difference.condition));
                put("expected", difference.expected.clone());
                put("found", difference.found.clone());
            }
        }
    }
    failure
}

fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
    Value::List(items.into_iter().map(|item| text(item.as_ref())).collect())
}
