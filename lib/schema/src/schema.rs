use std::sync::Arc;

use streamalert_types::DataType;
use streamalert_value::{Map, NodeRef, Value};

use crate::csv::Dialect;
use crate::field::{FieldType, Fields};
use crate::json_path::JsonPath;
use crate::normalize::Normalization;
use crate::pattern::{ENVELOPE_KEY, Pattern};
use crate::text_line::KvStyle;
use crate::{SchemaError, Severity};

/// One compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) log_type: Arc<str>,
    pub(crate) data_type: DataType,
    pub(crate) fields: Fields,
    /// Which fields must be there, by index. An optional field with a nested schema must be, too: its default
    /// would be `{}`, which no nested schema takes.
    pub(crate) required: Vec<bool>,
    /// Optional fields in the order of their listing: where defaults are added.
    pub(crate) optional: Vec<usize>,
    /// `"unknown_keys": "keep"`: keys that the schema does not know are kept as they are.
    pub(crate) keeps_unknown: bool,
    pub(crate) extraction: Extraction,
    pub(crate) envelope: Option<Envelope>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) normalization: Option<Normalization>,
    /// It has an error and never matches.
    pub(crate) broken: bool,
}

/// How records are got out of a unit.
#[derive(Debug)]
pub(crate) enum Extraction {
    /// The unit is the record.
    Whole,
    /// Where a JSON path leads; with `embedded`, to texts that are JSON objects.
    Path { path: JsonPath, embedded: bool },
    /// The JSON object within the text under a key.
    RegexKey(String),
    /// Rows of CSV: the unit itself, or texts that a JSON path leads to.
    Csv {
        dialect: Dialect,
        path: Option<JsonPath>,
    },
    /// One line of key-value pairs.
    Kv(KvStyle),
    /// One syslog line.
    Syslog,
}

impl Extraction {
    /// Whether both get the same records out of any unit.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole, Self::Whole) | (Self::Syslog, Self::Syslog) => true,
            (Self::Path { path: a, embedded: x }, Self::Path { path: b, embedded: y }) => {
                a.text() == b.text() && x == y
            }
            (Self::RegexKey(a), Self::RegexKey(b)) => a == b,
            _ => false,
        }
    }
}

/// Keys of the root of a unit that are added to each of its records.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) fields: Fields,
    pub(crate) optional: Vec<bool>,
}

impl Envelope {
    /// The required keys that an object lacks.
    pub(crate) fn missing<'a>(&'a self, root: NodeRef<'_>) -> impl Iterator<Item = &'a str> {
        let absent = move |at: usize| {
            root.get_hashed(self.fields.get(at).hash, &self.fields.get(at).name)
                .is_none()
        };
        let needed = self
            .fields
            .iter()
            .zip(&self.optional)
            .enumerate()
            .filter(|(_, (_, optional))| !**optional);
        needed
            .filter(move |(at, _)| absent(*at))
            .map(|(_, (field, _))| field.name.as_str())
    }
}

impl Schema {
    /// Whether it takes any record, whatever its keys: its schema is `{}`.
    pub(crate) fn takes_anything(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether `name` selects it: its log type, or the family before the colon.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        &*self.log_type == name || self.family() == name
    }

    /// Whether some record with some keys can be taken by both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let comparable = self.extraction.is_same(&other.extraction) && !self.broken && !other.broken;
        let fits = |one: &Self, two: &Self| {
            let open = two.keeps_unknown || two.takes_anything();
            let mut required = one
                .fields
                .iter()
                .zip(&one.required)
                .filter(|(_, required)| **required);
            required.all(|(field, _)| open || two.fields.position(&field.name).is_some())
        };
        let apart = self
            .patterns
            .iter()
            .any(|one| other.patterns.iter().any(|two| one.excludes(two)));
        comparable && fits(self, other) && fits(other, self) && !apart
    }

    pub(crate) fn family(&self) -> &str {
        self.log_type.split(':').next().unwrap_or_default()
    }
}

/// Collects what is wrong while one definition is compiled.
struct Problems<'a> {
    log_type: &'a str,
    found: &'a mut Vec<SchemaError>,
}

impl Problems<'_> {
    fn add(&mut self, severity: Severity, path: &[&str], message: impl Into<String>) {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.found.push(SchemaError {
            log_type: self.log_type.to_owned(),
            path,
            message: message.into(),
            severity,
        });
    }

    fn error(&mut self, path: &[&str], message: impl Into<String>) {
        self.add(Severity::Error, path, message);
    }

    /// Adds errors whose paths are relative to `base`.
    fn under<'b>(&'b mut self, base: &'b [&'b str]) -> impl FnMut(&[String], String) + 'b {
        move |path, message| {
            let full: Vec<&str> = base
                .iter()
                .copied()
                .chain(path.iter().map(String::as_str))
                .collect();
            self.error(&full, message);
        }
    }
}

const CONFIGURATION: &str = "configuration";
static EMPTY: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);

/// Compiles one definition.
pub(crate) fn compile(log_type: &str, definition: &Value, errors: &mut Vec<SchemaError>) -> Schema {
    let before = errors.len();
    let mut problems = Problems {
        log_type,
        found: errors,
    };
    let map = definition.as_map().unwrap_or_else(|| {
        problems.error(&[], "a schema definition must be an object");
        &EMPTY
    });
    for key in map
        .keys()
        .filter(|key| !matches!(key.as_str(), "schema" | "parser" | CONFIGURATION | "unknown_keys"))
    {
        problems.add(Severity::Warning, &[key], "this key has no meaning");
    }
    let configuration = object(map, CONFIGURATION, &[CONFIGURATION], &mut problems);
    let data_type = parser(map, &mut problems);
    let fields = Fields::compile(
        object(map, "schema", &["schema"], &mut problems),
        &mut Vec::new(),
        &mut problems.under(&["schema"]),
    );
    let optional = names(
        configuration,
        "optional_top_level_keys",
        &fields,
        "the schema",
        &mut problems,
    );
    let required = fields
        .iter()
        .enumerate()
        .map(|(at, field)| !optional.contains(&at) || matches!(field.kind, FieldType::Nested(_)))
        .collect();
    warn_of_nested_optionals(&fields, &optional, &mut problems);
    let envelope = envelope(configuration, &mut problems);
    let patterns = patterns(configuration, &fields, envelope.as_ref(), &mut problems);
    let normalization = Normalization::compile(
        configuration.get("normalization"),
        &mut problems.under(&[CONFIGURATION, "normalization"]),
    );
    let extraction = extraction(data_type, configuration, &mut problems);
    if matches!(extraction, Extraction::Syslog) {
        warn_of_syslog_keys(&fields, &mut problems);
    }
    let keeps_unknown = unknown_keys(map, &mut problems);
    let broken = errors[before..]
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    Schema {
        log_type: log_type.into(),
        data_type,
        fields,
        required,
        optional,
        keeps_unknown,
        extraction,
        envelope,
        patterns,
        normalization,
        broken,
    }
}

fn object<'a>(map: &'a Map, key: &str, path: &[&str], problems: &mut Problems<'_>) -> &'a Map {
    match map.get(key) {
        None => &EMPTY,
        Some(Value::Map(object)) => object,
        Some(_) => {
            problems.error(path, "expected an object");
            &EMPTY
        }
    }
}

fn parser(map: &Map, problems: &mut Problems<'_>) -> DataType {
    let parsed = match map.get("parser") {
        None => Err("the parser is missing, expected json, csv, kv or syslog".to_owned()),
        Some(value) => value.as_str().unwrap_or_default().parse(),
    };
    parsed.unwrap_or_else(|message| {
        problems.error(&["parser"], message);
        DataType::Json
    })
}

fn unknown_keys(map: &Map, problems: &mut Problems<'_>) -> bool {
    match map.get("unknown_keys").map(Value::as_str) {
        None | Some(Some("refuse")) => false,
        Some(Some("keep")) => true,
        Some(_) => {
            problems.error(&["unknown_keys"], "expected \"keep\" or \"refuse\"");
            false
        }
    }
}

/// A list of keys, or an object whose keys are meant, as indices of fields.
fn names(map: &Map, key: &str, fields: &Fields, of: &str, problems: &mut Problems<'_>) -> Vec<usize> {
    let listed: Vec<&str> = match map.get(key) {
        None => Vec::new(),
        Some(Value::Map(object)) => object.keys().map(String::as_str).collect(),
        Some(Value::List(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => {
            problems.error(&[CONFIGURATION, key], "expected a list of keys");
            Vec::new()
        }
    };
    let mut indices = Vec::with_capacity(listed.len());
    for name in listed {
        match fields.position(name) {
            Some(at) if !indices.contains(&at) => indices.push(at),
            Some(_) => {}
            None => problems.error(
                &[CONFIGURATION, key],
                format!("{name:?} is not a key of {of}, add it there too"),
            ),
        }
    }
    indices
}

fn warn_of_nested_optionals(fields: &Fields, optional: &[usize], problems: &mut Problems<'_>) {
    for at in optional {
        let field = fields.get(*at);
        if matches!(field.kind, FieldType::Nested(_)) {
            let message = format!(
                "{:?} has a nested schema, so a record without it never matches",
                field.name
            );
            problems.add(
                Severity::Warning,
                &[CONFIGURATION, "optional_top_level_keys"],
                message,
            );
        }
    }
}

fn warn_of_syslog_keys(fields: &Fields, problems: &mut Problems<'_>) {
    let known = ["timestamp", "host", "application", "message"];
    if fields.len() != known.len() || known.iter().any(|name| fields.position(name).is_none()) {
        let message = "a syslog schema that is not timestamp, host, application and message never matches";
        problems.add(Severity::Warning, &["schema"], message);
    }
}

fn envelope(configuration: &Map, problems: &mut Problems<'_>) -> Option<Envelope> {
    let base = [CONFIGURATION, "envelope_keys"];
    let map = object(configuration, "envelope_keys", &base, problems);
    let fields = Fields::compile(map, &mut Vec::new(), &mut problems.under(&base));
    let optional = names(
        configuration,
        "optional_envelope_keys",
        &fields,
        "envelope_keys",
        problems,
    );
    if fields.is_empty() {
        return None;
    }
    let optional = fields
        .iter()
        .enumerate()
        .map(|(at, field)| optional.contains(&at) && !matches!(field.kind, FieldType::Nested(_)))
        .collect();
    Some(Envelope { fields, optional })
}

fn patterns(
    configuration: &Map,
    fields: &Fields,
    envelope: Option<&Envelope>,
    problems: &mut Problems<'_>,
) -> Vec<Pattern> {
    let base = [CONFIGURATION, "log_patterns"];
    let map = match configuration.get("log_patterns") {
        Some(Value::Null) => &EMPTY,
        _ => object(configuration, "log_patterns", &base, problems),
    };
    let patterns = Pattern::compile(map, &mut Vec::new(), &mut problems.under(&base));
    for pattern in &patterns {
        let known = match (pattern.in_envelope, pattern.path.first(), envelope) {
            (_, None, _) => false,
            (true, Some(key), Some(envelope)) => envelope.fields.position(key).is_some(),
            (true, Some(_), None) => false,
            (false, Some(key), _) => fields.is_empty() || fields.position(key).is_some(),
        };
        if !known {
            let key = pattern.path.first().map_or(ENVELOPE_KEY, String::as_str);
            let message = format!("{key:?} is not a top-level key of the schema, so nothing ever matches");
            problems.add(Severity::Warning, &[CONFIGURATION, "log_patterns"], message);
        }
    }
    patterns
}

/// A text option that Python would take through `str()`.
fn option(configuration: &Map, key: &str, default: &str) -> String {
    configuration
        .get(key)
        .map_or_else(|| default.to_owned(), Value::python_str)
}

fn character(configuration: &Map, key: &str, default: &str, problems: &mut Problems<'_>) -> char {
    let text = option(configuration, key, default);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) => one,
        _ => {
            problems.error(&[CONFIGURATION, key], "expected one character");
            ','
        }
    }
}

fn json_path(configuration: &Map, problems: &mut Problems<'_>) -> Option<JsonPath> {
    let text = match configuration.get("json_path")? {
        Value::Str(text) if !text.is_empty() => text,
        other if !other.is_truthy() => return None,
        _ => {
            problems.error(&[CONFIGURATION, "json_path"], "expected a JMESPath expression");
            return None;
        }
    };
    JsonPath::compile(text)
        .map_err(|message| problems.error(&[CONFIGURATION, "json_path"], message))
        .ok()
}

fn extraction(data_type: DataType, configuration: &Map, problems: &mut Problems<'_>) -> Extraction {
    match data_type {
        DataType::Json => {
            let embedded = configuration.get("embedded_json").is_some_and(Value::is_truthy);
            if let Some(path) = json_path(configuration, problems) {
                return Extraction::Path { path, embedded };
            }
            match configuration.get("json_regex_key") {
                Some(Value::Str(key)) if !key.is_empty() => Extraction::RegexKey(key.clone()),
                Some(other) if other.is_truthy() => {
                    problems.error(&[CONFIGURATION, "json_regex_key"], "expected a key");
                    Extraction::Whole
                }
                _ => Extraction::Whole,
            }
        }
        DataType::Csv => Extraction::Csv {
            dialect: Dialect {
                delimiter: character(configuration, "delimiter", ",", problems),
                quote: character(configuration, "quotechar", "\"", problems),
                escape: configuration
                    .contains_key("escapechar")
                    .then(|| character(configuration, "escapechar", "", problems)),
            },
            path: json_path(configuration, problems),
        },
        DataType::Kv => {
            let style = KvStyle {
                delimiter: option(configuration, "delimiter", " "),
                separator: option(configuration, "separator", "="),
            };
            for (key, text) in [("delimiter", &style.delimiter), ("separator", &style.separator)] {
                if text.is_empty() {
                    problems.error(&[CONFIGURATION, key], "must not be empty");
                }
            }
            Extraction::Kv(style)
        }
        DataType::Syslog => Extraction::Syslog,
    }
}
