//! What outputs must not show is taken out: values of fields by the fields' names, parts of texts by what they look
//! like. Searching takes time linear to the text, whatever the pattern.

mod classes;
#[cfg(test)]
mod tests;

use regex::{Regex, RegexSet, RegexSetBuilder};
use streamalert_types::{Alert, OutputName};
use streamalert_value::{Map, Value};

use super::fields;
use classes::Class;

/// What stands in the place of what was taken out.
const MARKER: &str = "[redacted]";

/// Bytes that the patterns of one list may take together when they are searched for at once.
const SET_BYTES_MAX: usize = 10 << 20;

/// Fields of a publication that tell which alert it is. They come from rule and program, not from logs.
const IDENTITY: [&str; 5] = [
    "id",
    "created",
    "rule_name",
    "rule_description",
    "streamalert_trace_id",
];

/// What is to be taken out, as the user writes it.
#[derive(Debug, Clone, Default)]
pub struct RedactionSettings {
    /// Names of fields: `*` stands for any text, case does not matter; with a dot in it, a path from the top of the
    /// publication; between slashes, a regular expression on either.
    pub keys: Vec<String>,
    /// Regular expressions. Where one has groups, these are taken out, otherwise all that it finds.
    pub values: Vec<String>,
    /// What is known by name, such as `email`.
    pub classes: Vec<String>,
    /// Outputs (`slack:x`), services (`slack`), or `*` for all but the history, to which this holds whatever a rule
    /// says. Otherwise it is for alerts whose rule names the publisher `redact`.
    pub outputs: Vec<String>,
}

/// Why settings are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactionError {
    /// `keys`, `values`, `classes`.
    pub list: &'static str,
    /// One line.
    pub message: String,
}

/// Takes out what outputs must not show.
pub struct Redaction {
    keys: RegexSet,
    paths: RegexSet,
    values: Vec<Pattern>,
    /// All of `values`, so that a text with none of them is looked at once.
    any_value: RegexSet,
    outputs: Vec<String>,
}

struct Pattern {
    regex: Regex,
    /// Whether what was found is meant.
    confirms: fn(&str) -> bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new(&RedactionSettings::default()).expect("empty lists are lists of patterns")
    }
}

impl Redaction {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first pattern or class that is none.
    pub fn new(settings: &RedactionSettings) -> Result<Self, RedactionError> {
        let of = |list| move |message| RedactionError { list, message };
        let (mut keys, mut paths) = (Vec::new(), Vec::new());
        for key in &settings.keys {
            let written = key
                .strip_prefix('/')
                .and_then(|rest| rest.strip_suffix('/'))
                .filter(|inner| !inner.is_empty());
            match written {
                Some(expression) => {
                    fields::pattern(expression, true).map_err(of("keys"))?;
                    keys.push(expression.to_owned());
                    paths.push(expression.to_owned());
                }
                None if key.is_empty() => return Err(of("keys")("an empty name means nothing".to_owned())),
                None if key.contains('.') => paths.push(glob(key)),
                None => keys.push(glob(key)),
            }
        }
        let mut values = Vec::new();
        for value in &settings.values {
            let regex = fields::pattern(value, false).map_err(of("values"))?;
            if regex.is_match("") {
                let message = format!("{value:?} finds nothing at all in every text");
                return Err(of("values")(message));
            }
            values.push(Pattern {
                regex,
                confirms: |_| true,
            });
        }
        for name in &settings.classes {
            let class = Class::named(name).ok_or_else(|| {
                of("classes")(format!(
                    "{name:?} is none of {}",
                    Class::names().collect::<Vec<_>>().join(", ")
                ))
            })?;
            values.push(Pattern {
                regex: fields::pattern(class.pattern, false).map_err(of("classes"))?,
                confirms: class.confirms,
            });
        }
        let any: Vec<&str> = values.iter().map(|pattern| pattern.regex.as_str()).collect();
        Ok(Self {
            keys: set(&keys, true).map_err(of("keys"))?,
            paths: set(&paths, true).map_err(of("keys"))?,
            any_value: set(&any, false).map_err(of("values"))?,
            values,
            outputs: settings.outputs.clone(),
        })
    }

    /// Every class, with what it finds.
    pub fn classes() -> impl Iterator<Item = (&'static str, &'static str)> {
        Class::all()
    }

    /// Whether it holds for an output whatever rules say.
    pub(super) fn is_for(&self, output: &OutputName) -> bool {
        let is_history = *output == OutputName::history();
        self.outputs.iter().any(|wanted| {
            wanted == output.as_str() || wanted == output.service() || (wanted == "*" && !is_history)
        })
    }

    /// `publication` without what must not be shown.
    pub(super) fn apply(&self, publication: Value) -> Value {
        if self.keys.is_empty() && self.paths.is_empty() && self.values.is_empty() {
            return publication;
        }
        match publication {
            Value::Map(mut fields) => {
                let mut path = String::new();
                for (name, value) in &mut fields {
                    if IDENTITY.contains(&name.as_str()) {
                        continue;
                    }
                    path.clear();
                    path.push_str(name);
                    if !name.starts_with('@') && self.is_key(name, &path) {
                        *value = Value::Str(MARKER.to_owned());
                    } else {
                        self.clean(value, &mut path);
                    }
                }
                Value::Map(fields)
            }
            mut other => {
                self.clean(&mut other, &mut String::new());
                other
            }
        }
    }

    /// An alert as publishers of an output may see it.
    pub(super) fn seen(&self, alert: &Alert) -> Alert {
        let whole = [
            ("record".to_owned(), super::record_of(alert)),
            ("context".to_owned(), alert.context.clone()),
        ];
        let mut cleaned = match self.apply(Value::Map(whole.into_iter().collect())) {
            Value::Map(fields) => fields,
            _ => Map::new(),
        };
        Alert {
            record: crate::to_json(&cleaned.swap_remove("record").unwrap_or_default()).into(),
            context: cleaned.swap_remove("context").unwrap_or_default(),
            ..alert.clone()
        }
    }

    /// Whether the value of a field is taken out. `name` may be a path itself, where fields were enumerated.
    fn is_key(&self, name: &str, path: &str) -> bool {
        if self.keys.is_empty() && self.paths.is_empty() {
            return false;
        }
        let bare = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
        self.keys.is_match(name)
            || (name.contains(['.', '[']) && name.split('.').any(|part| self.keys.is_match(&bare(part))))
            || (!self.paths.is_empty() && self.paths.is_match(path))
    }

    fn clean(&self, value: &mut Value, path: &mut String) {
        match value {
            Value::Map(fields) => self.clean_fields(fields, path),
            // the path of a list's items is the list's
            Value::List(items) => items.iter_mut().for_each(|item| self.clean(item, path)),
            Value::Str(text) => {
                if let Some(cleaned) = self.cleaned(text) {
                    *text = cleaned;
                }
            }
            Value::Int(_) | Value::BigInt(_) => {
                let digits = value.to_json();
                if self.cleaned(&digits).is_some() {
                    *value = Value::Str(MARKER.to_owned());
                }
            }
            Value::Null | Value::Bool(_) | Value::Float(_) => {}
        }
    }

    fn clean_fields(&self, fields: &mut Map, path: &mut String) {
        let length = path.len();
        for (name, value) in fields {
            path.push('.');
            path.push_str(name);
            if self.is_key(name, path) {
                *value = Value::Str(MARKER.to_owned());
            } else {
                self.clean(value, path);
            }
            path.truncate(length);
        }
    }

    /// The text without what is meant; `None` when nothing is.
    fn cleaned(&self, text: &str) -> Option<String> {
        if self.values.is_empty() {
            return None;
        }
        let mut cleaned: Option<String> = None;
        for index in self.any_value.matches(text) {
            let pattern = &self.values[index];
            let now = cleaned.as_deref().unwrap_or(text);
            if let Some(without) = pattern.without(now) {
                cleaned = Some(without);
            }
        }
        cleaned
    }
}

impl Pattern {
    fn without(&self, text: &str) -> Option<String> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for found in self.regex.captures_iter(text) {
            let groups: Vec<_> = found.iter().skip(1).flatten().collect();
            let parts = if self.regex.captures_len() == 1 {
                found.get(0).into_iter().collect()
            } else {
                groups
            };
            for part in parts {
                let after = ranges.last().is_none_or(|last| last.end <= part.start());
                if after && !part.is_empty() && (self.confirms)(part.as_str()) {
                    ranges.push(part.range());
                }
            }
        }
        if ranges.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for range in ranges {
            out.push_str(&text[from..range.start]);
            out.push_str(MARKER);
            from = range.end;
        }
        out.push_str(&text[from..]);
        Some(out)
    }
}

/// A glob as a regular expression of the whole text.
fn glob(glob: &str) -> String {
    let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
    format!("^(?s:{})$", parts.join(".*"))
}

fn set<T: AsRef<str>>(patterns: &[T], ignores_case: bool) -> Result<RegexSet, String> {
    let mut builder = RegexSetBuilder::new(patterns);
    builder
        .case_insensitive(ignores_case)
        .size_limit(SET_BYTES_MAX)
        .dfa_size_limit(SET_BYTES_MAX);
    builder
        .build()
        .map_err(|_| format!("these patterns take more than {SET_BYTES_MAX} bytes together"))
}
