use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value};
use streamalert_value::write_json_text;

use super::filters::Json;
use crate::outputs::document;
use crate::outputs::markup;
use crate::outputs::slack_escaped;

/// What means something in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Nothing.
    None,
    /// `&`, `<`, `>`.
    Slack,
    Html,
    Markdown,
    GitHub,
    Jira,
    /// Text for readers that know no markup, or are not known to.
    Plain,
}

/// How what stands between `{{` and `}}` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct How {
    pub(super) markup: Markup,
    /// The text is one of JSON.
    pub(super) is_json: bool,
}

impl minijinja::value::Object for How {}

/// The variable that tells [`write`].
pub(super) const HOW: &str = "_how";

impl Markup {
    /// `text` as nothing but text.
    pub(super) fn inert(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Slack => slack_escaped(text),
            Self::Html => markup::html(text),
            Self::Markdown => markup::markdown(text, usize::MAX),
            Self::GitHub => document::Markup::Markdown.inert(text),
            Self::Jira => document::Markup::Jira.inert(text),
            Self::Plain => document::Markup::Plain.inert(text),
        }
    }
}

/// A value as text: JSON where it is no text.
pub(super) fn shown(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.to_string(),
        ValueKind::None => "null".to_owned(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable
            if value.downcast_object_ref::<Json>().is_none() =>
        {
            super::inputs::from_jinja(value).to_json()
        }
        _ => value.to_string(),
    }
}

/// Writes what stands between `{{` and `}}`.
pub(super) fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(minijinja::ErrorKind::UndefinedError));
    }
    let how = state.lookup(HOW);
    let how = how.as_ref().and_then(|how| how.downcast_object_ref::<How>());
    let How { markup, is_json } = how.copied().unwrap_or(How {
        markup: Markup::Html,
        is_json: false,
    });
    if is_json && let Some(json) = value.downcast_object_ref::<Json>() {
        return Ok(out.write_str(&json.0)?);
    }
    let text = shown(value);
    let text = if value.is_safe() {
        text
    } else {
        markup.inert(&text)
    };
    if !is_json {
        return Ok(out.write_str(&text)?);
    }
    let mut quoted = Vec::with_capacity(text.len() + 8);
    write_json_text(&text, &mut quoted);
    let quoted = String::from_utf8_lossy(&quoted);
    let inner = quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    Ok(out.write_str(inner.unwrap_or_default())?)
}
