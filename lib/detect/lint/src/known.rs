use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use streamalert_value::{Map, Value};

/// The text of one Python file.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As it is to be named in findings.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What is known of the project that the rules belong to. What is `None` is not known, and not complained of.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Log type to the records of it.
    pub logs: BTreeMap<String, Shape>,
    /// Types that the schemas of the log types normalize to.
    pub datatypes: Option<BTreeSet<String>>,
    /// Configured outputs, as `service:descriptor`.
    pub outputs: Option<BTreeSet<String>>,
    /// Registered publishers, as `module.name`.
    pub publishers: Option<BTreeSet<String>>,
    /// Rules that some test event must trigger.
    pub tested: Option<BTreeSet<String>>,
}

/// What a value of a record is, as its schema says. Whatever the type, a value that Python takes for false stays as it
/// came: an "integer" may be `""` or `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `"string"`
    Text,
    /// `"integer"`
    Integer,
    /// `"float"`
    Float,
    /// `"boolean"`
    Boolean,
    /// `[…]`: members may be anything.
    List,
    /// `{}`: anything at all.
    Anything,
    /// `{…}`
    Map(Shape),
}

/// The keys of a record or of an object in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// In the schema's order.
    pub keys: IndexMap<String, Kind>,
    /// Whether it may have other keys, too.
    pub open: bool,
    /// Keys that a record need not have; the classifier adds them with a default.
    pub optional: BTreeSet<String>,
}

/// Where the keys of the object around a record are.
const ENVELOPE: &str = "streamalert:envelope_keys";

/// Keys that a record may have whatever its schema says: normalized values, the record's id, found indicators.
const ADDED: [&str; 3] = [
    "streamalert_normalization",
    "streamalert_record_id",
    "streamalert:ioc",
];

/// The types that a log type's definition normalizes to.
#[must_use]
pub fn datatypes(definition: &Value) -> BTreeSet<String> {
    let types = definition
        .get("configuration")
        .and_then(|configuration| configuration.get("normalization"))
        .and_then(Value::as_map);
    types.into_iter().flat_map(Map::keys).cloned().collect()
}

impl Shape {
    /// The records of a log type, from its definition: `{"schema": …, "parser": …, "configuration": …}`.
    #[must_use]
    pub fn of_definition(definition: &Value) -> Self {
        let mut shape = match definition.get("schema") {
            Some(Value::Map(schema)) if !schema.is_empty() => Self::of_schema(schema),
            _ => Self {
                open: true,
                ..Self::default()
            },
        };
        shape.open |= definition.get("unknown_keys").and_then(Value::as_str) == Some("keep");
        let configuration = definition.get("configuration");
        let listed = configuration.and_then(|one| one.get("optional_top_level_keys"));
        shape.optional = listed.map(names).unwrap_or_default();
        if let Some(Value::Map(envelope)) = configuration.and_then(|one| one.get("envelope_keys")) {
            shape
                .keys
                .insert(ENVELOPE.to_owned(), Kind::Map(Self::of_schema(envelope)));
        }
        shape
    }

    fn of_schema(schema: &Map) -> Self {
        let keys = schema.iter().map(|(key, kind)| (key.clone(), Kind::of(kind)));
        Self {
            keys: keys.collect(),
            ..Self::default()
        }
    }

    /// Whether a key may be there.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        self.open || self.lists(key)
    }

    /// Whether a key is known.
    pub(crate) fn lists(&self, key: &str) -> bool {
        self.keys.contains_key(key) || ADDED.contains(&key)
    }
}

impl Kind {
    fn of(definition: &Value) -> Self {
        match definition {
            Value::Str(word) => match word.as_str() {
                "string" => Self::Text,
                "integer" => Self::Integer,
                "float" => Self::Float,
                "boolean" => Self::Boolean,
                _ => Self::Anything,
            },
            Value::List(_) => Self::List,
            Value::Map(nested) if !nested.is_empty() => Self::Map(Shape::of_schema(nested)),
            _ => Self::Anything,
        }
    }

    /// As the schema calls it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::List => "a list",
            Self::Anything => "anything",
            Self::Map(_) => "an object",
        }
    }
}

/// A list of names, or an object whose keys are meant.
fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Map(map) => map.keys().cloned().collect(),
        Value::List(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// The name that `word` is a slip of the finger away from.
pub(crate) fn nearly<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// In shorter words one letter makes another word.
    const LETTERS_MIN: usize = 5;
    let lower = word.to_lowercase();
    let mut names = names.into_iter().filter(|_| word.chars().count() >= LETTERS_MIN);
    names.find(|name| strsim::damerau_levenshtein(&lower, &name.to_lowercase()) <= 1)
}

/// The name that `word` was probably meant to be, as a question.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    let distance_max = (word.chars().count() / 3).max(1);
    let near = names.into_iter().map(|name| {
        let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        (distance, name)
    });
    let near = near.filter(|(distance, _)| *distance <= distance_max);
    near.min()
        .map(|(_, name)| format!("did you mean {}?", crate::constant::quoted(name)))
}
