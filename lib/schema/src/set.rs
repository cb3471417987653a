use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use streamalert_types::DataType;
use streamalert_value::Value;

use crate::schema::{Schema, compile};
use crate::selection::Selection;
use crate::{SchemaError, SelectionError, Severity};

/// All schemas of a configuration, compiled, in the order in which they are tried. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SchemaSet {
    schemas: Arc<[Arc<Schema>]>,
}

impl SchemaSet {
    /// Compiles definitions (`{"schema": …, "parser": …, "configuration": …}`), given in the order of their files'
    /// names. A schema with an error never matches; whoever wants to start with such must decide so. Of a log type
    /// that is defined twice the last definition counts, at the place of the first.
    #[must_use]
    pub fn compile(definitions: &[(String, Value)]) -> (Self, Vec<SchemaError>) {
        let mut errors = Vec::new();
        let mut unique: indexmap::IndexMap<&str, &Value> = indexmap::IndexMap::new();
        for (log_type, definition) in definitions {
            if unique.insert(log_type, definition).is_some() {
                errors.push(SchemaError {
                    log_type: log_type.clone(),
                    path: Vec::new(),
                    message: "defined more than once, the last definition counts".to_owned(),
                    severity: Severity::Warning,
                });
            }
        }
        let mut schemas: Vec<(Priority, Arc<Schema>)> = Vec::with_capacity(unique.len());
        let mut highest = Priority::default();
        for (log_type, definition) in unique {
            let schema = Arc::new(compile(log_type, definition, &mut errors));
            let given = definition
                .get("configuration")
                .and_then(|one| one.get("priority"));
            let priority = match given.map(Priority::of) {
                None => highest,
                Some(Some(given)) => {
                    highest = highest.max(given);
                    given
                }
                Some(None) => {
                    errors.push(SchemaError {
                        log_type: log_type.to_owned(),
                        path: vec!["configuration".to_owned(), "priority".to_owned()],
                        message: "expected a whole number".to_owned(),
                        severity: Severity::Error,
                    });
                    highest
                }
            };
            schemas.push((priority, schema));
        }
        schemas.sort_by(|(one, _), (two, _)| one.cmp(two));
        (
            Self {
                schemas: schemas.into_iter().map(|(_, schema)| schema).collect(),
            },
            errors,
        )
    }

    /// The log types in the order in which they are tried.
    pub fn log_types(&self) -> impl Iterator<Item = &Arc<str>> {
        self.schemas.iter().map(|schema| &schema.log_type)
    }

    /// The parser of a log type; `None` when there is no such.
    #[must_use]
    pub fn data_type(&self, log_type: &str) -> Option<DataType> {
        self.find(log_type).map(|schema| schema.data_type)
    }

    /// The names of the types that a log type is normalized to (`datatypes` of rules), in order.
    #[must_use]
    pub fn normalized_types(&self, log_type: &str) -> Vec<Arc<str>> {
        let normalization = self
            .find(log_type)
            .and_then(|schema| schema.normalization.as_ref());
        normalization
            .map(|one| one.types.iter().map(|one| Arc::clone(&one.name)).collect())
            .unwrap_or_default()
    }

    fn find(&self, log_type: &str) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|schema| &*schema.log_type == log_type)
    }

    /// What a source reads: families (`cloudtrail`) or exact log types (`cloudtrail:events`).
    ///
    /// # Errors
    /// A [`SelectionError`] for each name that selects nothing.
    pub fn select<N: AsRef<str>>(&self, names: &[N]) -> Result<Selection, Vec<SelectionError>> {
        let unknown = names.iter().map(AsRef::as_ref);
        let unknown = unknown.filter(|name| !self.schemas.iter().any(|schema| schema.is_named(name)));
        let errors: Vec<SelectionError> = unknown
            .map(|name| SelectionError {
                name: name.to_owned(),
                closest: self.closest(name),
            })
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let named = |schema: &&Arc<Schema>| names.iter().any(|name| schema.is_named(name.as_ref()));
        Ok(Selection::new(
            self.schemas.iter().filter(named).cloned().collect(),
        ))
    }

    /// All schemas.
    #[must_use]
    pub fn select_all(&self) -> Selection {
        Selection::new(self.schemas.to_vec())
    }

    /// Pairs of log types that can both take one and the same record, the one that is tried first in front: which of
    /// them it becomes hangs on their order alone. Only what keys and patterns tell is considered, not values.
    #[must_use]
    pub fn ambiguities(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let mut pairs = Vec::new();
        for (at, one) in self.schemas.iter().enumerate() {
            for two in self.schemas[at + 1..].iter().filter(|two| one.overlaps(two)) {
                pairs.push((Arc::clone(&one.log_type), Arc::clone(&two.log_type)));
            }
        }
        pairs
    }

    fn closest(&self, name: &str) -> Option<String> {
        let mut known: HashSet<&str> = HashSet::new();
        for schema in self.schemas.iter() {
            known.insert(schema.family());
            known.insert(&schema.log_type);
        }
        let mut near: Vec<(usize, &str)> = known
            .into_iter()
            .map(|other| (distance(name, other), other))
            .collect();
        near.sort_unstable();
        near.first()
            .filter(|(edits, _)| *edits <= name.chars().count() / 3)
            .map(|(_, other)| (*other).to_owned())
    }
}

/// Where a schema stands in line. A schema without a priority takes the highest that was met before it, and stands
/// in front of all others when there was none: the rule of StreamAlert's sort, which depends on the order of files.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Priority(f64);

impl Priority {
    fn of(value: &Value) -> Option<Self> {
        let number = match value {
            Value::Str(text) => streamalert_value::parse_python_int(text)?.parse().ok()?,
            Value::Int(_) | Value::BigInt(_) | Value::Float(_) => value.as_f64()?.trunc(),
            Value::Bool(flag) => f64::from(u8::from(*flag)),
            _ => return None,
        };
        Some(Self(number)).filter(|_| number.is_finite())
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }

    fn max(self, other: Self) -> Self {
        if self.0 < other.0 { other } else { self }
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(-1.0)
    }
}

/// Edits between two names (Levenshtein).
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, b) in two.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[two.len()]
}
