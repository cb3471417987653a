use std::borrow::Cow;

use streamalert_value::{Kind, Map, NodeRef, Value};

use crate::field::{FieldType, Fields};
use crate::glob::Glob;

/// The key that stands for the envelope in `log_patterns` and in records.
pub(crate) const ENVELOPE_KEY: &str = "streamalert:envelope_keys";

/// One rule of `log_patterns`: the text at a path must match one of these.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) in_envelope: bool,
    pub(crate) path: Vec<String>,
    globs: Vec<Glob>,
    /// The patterns as they are written.
    texts: Vec<String>,
}

impl Pattern {
    /// Whether no text can match both, as far as can be told: one side has plain texts only, and the other matches
    /// none of them.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let plain = |one: &Self| !one.texts.iter().any(|text| text.contains(['*', '?', '[']));
        let apart =
            |one: &Self, two: &Self| plain(one) && !one.texts.iter().any(|text| two.matches_text(text));
        self.in_envelope == other.in_envelope
            && self.path == other.path
            && (apart(self, other) || apart(other, self))
    }

    /// Flattens `log_patterns`; `problem` hears of what is no pattern, with its path.
    pub(crate) fn compile(
        map: &Map,
        path: &mut Vec<String>,
        problem: &mut dyn FnMut(&[String], String),
    ) -> Vec<Self> {
        let mut patterns = Vec::new();
        for (key, definition) in map {
            path.push(key.clone());
            let texts: Vec<String> = match definition {
                Value::Map(nested) => {
                    patterns.extend(Self::compile(nested, path, problem));
                    path.pop();
                    continue;
                }
                Value::Str(one) => vec![one.clone()],
                Value::List(many) if many.iter().all(|one| one.as_str().is_some()) => {
                    many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                _ => {
                    problem(
                        path,
                        "a pattern must be a text, a list of texts or an object of patterns".to_owned(),
                    );
                    Vec::new()
                }
            };
            let in_envelope = path[0] == ENVELOPE_KEY;
            let globs = texts.iter().map(|text| Glob::new(text)).collect();
            patterns.push(Self {
                in_envelope,
                path: path[usize::from(in_envelope)..].to_vec(),
                globs,
                texts,
            });
            path.pop();
        }
        patterns
    }

    /// Whether the value at the path, which begins with `field`, is a text that matches.
    pub(crate) fn matches(&self, node: NodeRef<'_>, kind: &FieldType) -> bool {
        let mut at = (node, kind);
        for key in &self.path[1..] {
            let Some(value) = at.0.get(key) else { return false };
            let inner = match at.1 {
                FieldType::Nested(fields) => field_type(fields, key),
                _ => &FieldType::Anything,
            };
            at = (value, inner);
        }
        converted_text(at.0, at.1).is_some_and(|text| self.matches_text(&text))
    }

    /// Whether a text matches.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(text))
    }
}

fn field_type<'a>(fields: &'a Fields, key: &str) -> &'a FieldType {
    fields
        .position(key)
        .map_or(&FieldType::Anything, |at| &fields.get(at).kind)
}

/// The value after conversion, if it is a text then.
fn converted_text<'a>(node: NodeRef<'a>, kind: &FieldType) -> Option<Cow<'a, str>> {
    match (kind, node.kind()) {
        (FieldType::Text | FieldType::Anything | FieldType::List, Kind::Text) => node.as_str(),
        (_, Kind::Text) if !node.is_truthy() => Some(Cow::Borrowed("")),
        (FieldType::Text, _) if node.is_truthy() => {
            let mut text = String::new();
            node.write_python_str(&mut text);
            Some(Cow::Owned(text))
        }
        _ => None,
    }
}
