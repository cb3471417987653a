use serde::Deserialize;

use crate::answer::Aspect;

/// Differences that are explained: `known.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Known {
    #[serde(default)]
    known: Vec<Entry>,
}

/// One explained difference. Every condition given must hold; each is a part of a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Why the two differ.
    reason: String,
    /// The engine's name.
    #[serde(default)]
    subject: String,
    /// `truth`, `message` and so on.
    #[serde(default)]
    aspect: String,
    /// CPython's answer.
    #[serde(default)]
    expected: String,
    /// The other answer.
    #[serde(default)]
    got: String,
    /// The program's text, shrunk.
    #[serde(default)]
    source: String,
}

impl Known {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn read(text: &str) -> Result<Self, String> {
        let known: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for entry in &known.known {
            let conditions = [&entry.expected, &entry.got, &entry.source];
            if entry.reason.is_empty() || conditions.iter().all(|text| text.is_empty()) {
                return Err(format!(
                    "an entry needs a reason and a condition: {:?}",
                    entry.reason
                ));
            }
        }
        Ok(known)
    }

    /// The reason for a difference, when it is known. Without a program's text, conditions on it do not hold.
    #[must_use]
    pub fn reason(
        &self,
        subject: &str,
        aspect: Aspect,
        answers: (&str, &str),
        source: Option<&str>,
    ) -> Option<&str> {
        let aspect = format!("{aspect:?}").to_lowercase();
        let found = self.known.iter().find(|entry| {
            subject.contains(&entry.subject)
                && (entry.aspect.is_empty() || entry.aspect == aspect)
                && answers.0.contains(&entry.expected)
                && answers.1.contains(&entry.got)
                && (entry.source.is_empty() || source.is_some_and(|text| text.contains(&entry.source)))
        });
        found.map(|entry| entry.reason.as_str())
    }
}
