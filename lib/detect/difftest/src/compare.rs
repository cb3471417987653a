use std::collections::BTreeMap;

use crate::answer::{Answer, Aspect};
use crate::subject::Outcome;

/// A difference as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rule: usize,
    pub(crate) record: usize,
    pub(crate) aspect: Aspect,
    pub(crate) expected: String,
    pub(crate) got: String,
    /// What makes it the same sort of difference as another.
    pub(crate) signature: String,
}

/// The first difference of every rule. A module that does not load differs once.
pub(crate) fn differences(expected: &Outcome, got: &Outcome) -> Vec<Found> {
    match (expected, got) {
        (Outcome::NotLoaded(_), Outcome::NotLoaded(_)) => Vec::new(),
        (Outcome::Loaded(rules, expected), Outcome::Loaded(other, got)) if rules == other => {
            let mut found: BTreeMap<usize, Found> = BTreeMap::new();
            for (record, (expected, got)) in expected.iter().zip(got).enumerate() {
                for (rule, (expected, got)) in expected.iter().zip(got).enumerate() {
                    if let Some(aspect) = expected.difference(got) {
                        found
                            .entry(rule)
                            .or_insert_with(|| answered(rule, record, aspect, (expected, got)));
                    }
                }
            }
            found.into_values().collect()
        }
        _ => {
            let (expected, got) = (loading(expected), loading(got));
            vec![Found {
                rule: 0,
                record: 0,
                aspect: Aspect::Load,
                signature: format!("load: {} | {}", faceless(&expected), faceless(&got)),
                expected,
                got,
            }]
        }
    }
}

fn answered(rule: usize, record: usize, aspect: Aspect, (expected, got): (&Answer, &Answer)) -> Found {
    let signature = match aspect {
        Aspect::Message => format!(
            "message: {} | {}",
            faceless(&expected.to_string()),
            faceless(&got.to_string())
        ),
        aspect => format!("{aspect:?}: {} | {}", sort(expected), sort(got)).to_lowercase(),
    };
    Found {
        rule,
        record,
        aspect,
        expected: expected.to_string(),
        got: got.to_string(),
        signature,
    }
}

/// An exception with its text, without what is in it; the word for anything else.
fn sort(answer: &Answer) -> String {
    match answer {
        Answer::Raised { .. } => faceless(&answer.to_string()),
        other => other.word().to_owned(),
    }
}

fn loading(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotLoaded(why) => format!("not loaded: {why}"),
        Outcome::Loaded(rules, _) => format!("loaded: {}", rules.join(", ")),
    }
}

/// A message with quoted texts and numbers taken out.
pub(crate) fn faceless(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => {
                quote = None;
                out.push(c);
            }
            Some(_) => {}
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                out.push(c);
            }
            None if c.is_ascii_digit() => {
                if !out.ends_with('0') {
                    out.push('0');
                }
            }
            None => out.push(c),
        }
    }
    // Words in quotes of Python's own are short; texts of records are not needed to tell two sorts apart.
    out.chars().take(160).collect()
}

/// What was answered how often, by word.
pub(crate) fn count(
    outcome: &Outcome,
    words: &mut BTreeMap<String, u64>,
    reasons: &mut BTreeMap<String, u64>,
) {
    let answers = match outcome {
        Outcome::Loaded(_, answers) => answers,
        Outcome::NotLoaded(why) => {
            let word = format!("module not loaded: {}", faceless(why));
            *words.entry(word).or_default() += 1;
            return;
        }
    };
    for answer in answers.iter().flatten() {
        let word = match answer {
            Answer::Raised { .. } => "raised",
            other => other.word(),
        };
        match words.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                words.insert(word.to_owned(), 1);
            }
        }
        if let Answer::Fallback { reason } = answer {
            *reasons.entry(reason.clone()).or_default() += 1;
        }
    }
}
