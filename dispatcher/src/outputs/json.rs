//! Pieces that requests are put together from.

use streamalert_value::Value;

/// A dictionary.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let owned = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Map(owned.collect())
}

/// A text.
pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// Room for the note about what is missing.
const NOTE_CHARS: usize = 40;

/// Text cut visibly to `chars_max`.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let kept = chars_max.saturating_sub(NOTE_CHARS);
    let mut cut: String = text.chars().take(kept).collect();
    cut.push_str(&format!("… ({} more characters)", chars - kept));
    cut
}

/// Text on one line: control characters become spaces.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.trim().to_owned()
}
