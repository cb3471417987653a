//! Getting records out of a unit. Whatever they are written in, what comes out are nodes of JSON documents.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use streamalert_value::{JsonStyle, Kind, NodeRef, Tree, write_json_text};

use crate::csv::{Dialect, read_rows};
use crate::field::{FieldType, Fields};
use crate::json_path::JsonPath;
use crate::pool::{DocId, Pool};
use crate::schema::{Extraction, Schema};
use crate::selection::Schemas;
use crate::shape::{Plans, Shapes};
use crate::text_line::{write_kv, write_syslog};

/// A unit, parsed once.
#[derive(Clone, Copy)]
pub(crate) enum Root<'a> {
    /// It is JSON.
    Json(Tree<'a>),
    /// It is text, but not JSON.
    Text(&'a str),
    /// It is not even text.
    Bytes(&'a [u8]),
}

impl<'a> Root<'a> {
    pub(crate) fn tree(self) -> Option<Tree<'a>> {
        if let Self::Json(tree) = self {
            Some(tree)
        } else {
            None
        }
    }

    /// The root object.
    pub(crate) fn object(self) -> Option<NodeRef<'a>> {
        self.tree()
            .map(Tree::root)
            .filter(|root| root.kind() == Kind::Map)
    }

    /// What parsers of text read: the text itself, or the text that the JSON is.
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Json(tree) => tree.root().as_str(),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(_) => None,
        }
    }
}

/// Something that may be a record.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) doc: DocId,
    pub(crate) node: u32,
    /// Why it is no record, whatever the schema.
    pub(crate) problem: Option<Box<str>>,
    pub(crate) original: Original,
    /// The schemas that take an object with these keys; `None` when it is no object.
    pub(crate) plans: Option<Plans>,
}

/// Where the original bytes of a record are.
#[derive(Debug)]
pub(crate) enum Original {
    /// The whole unit.
    Unit,
    /// The text of the node that it is.
    Node,
    /// Here.
    Text(Box<str>),
}

/// Where extraction takes documents and shapes from.
pub(crate) struct Extractor<'a> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) root: Root<'a>,
    pub(crate) pool: &'a mut Pool,
    pub(crate) shapes: &'a mut Shapes,
    pub(crate) found: &'a mut Vec<Found>,
}

/// Leftmost and greedy as in Python, but in linear time.
static EMBEDDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{.+[:,].+\}|\[.+[,:].+\]").expect("a fixed pattern that the tests compile")
});

impl Extractor<'_> {
    /// Collects the records that a schema gets out of the unit. Nothing collected means that the unit is not of the
    /// schema's form; the answer is why.
    pub(crate) fn run(mut self, schema: &Schema) -> Result<(), String> {
        match &schema.extraction {
            Extraction::Whole => self.whole(),
            Extraction::Path {
                path,
                embedded: false,
            } => self.path(path),
            Extraction::Path { path, embedded: true } => self.embedded(path),
            Extraction::RegexKey(key) => self.regex_key(key),
            Extraction::Csv { dialect, path: None } => {
                let text = self.root.text().ok_or("json where csv is expected")?;
                self.csv(&text, dialect, &schema.fields, true)
            }
            Extraction::Csv {
                dialect,
                path: Some(path),
            } => self.csv_at(path, dialect, &schema.fields),
            Extraction::Kv(style) => {
                let text = self
                    .root
                    .text()
                    .ok_or("json where key-value pairs are expected")?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                let line = line.strip_suffix('\r').unwrap_or(line);
                self.line(|out| write_kv(line, style, &schema.fields, out))
            }
            Extraction::Syslog => {
                let text = self.root.text().ok_or("json where a syslog line is expected")?;
                self.line(|out| write_syslog(&text, out))
            }
        }
    }

    fn add(&mut self, doc: DocId, node: u32, original: Original) {
        let plans = self.pool.tree(doc, self.root.tree()).and_then(|tree| {
            let node = tree.node(node);
            if node.kind() != Kind::Map {
                return None;
            }
            let shape = self.shapes.of(self.schemas, node);
            Some(self.shapes.plans(shape, self.schemas, node))
        });
        self.found.push(Found {
            doc,
            node,
            problem: None,
            original,
            plans,
        });
    }

    fn refuse(&mut self, doc: DocId, node: u32, original: Original, problem: &str) {
        self.found.push(Found {
            doc,
            node,
            problem: Some(problem.into()),
            original,
            plans: None,
        });
    }

    fn whole(&mut self) -> Result<(), String> {
        let doc = match self.root {
            Root::Json(_) => DocId::Unit,
            Root::Text(text) => self.make(|out| write_json_text(text, out))?,
            Root::Bytes(bytes) => self.make(|out| write_json_text(&String::from_utf8_lossy(bytes), out))?,
        };
        self.add(doc, 0, Original::Unit);
        Ok(())
    }

    fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<DocId, String> {
        self.pool.parse_bytes(write).map_err(|error| error.to_string())
    }

    /// The documents and nodes that a path leads to.
    fn hits(&mut self, path: &JsonPath) -> Result<Vec<(DocId, u32)>, String> {
        let tree = self.root.tree().ok_or("not json")?;
        let mut nodes = Vec::new();
        let hits: Vec<(DocId, u32)> = match path.search(tree, &mut nodes) {
            None => nodes.into_iter().map(|node| (DocId::Unit, node)).collect(),
            Some(values) => values
                .iter()
                .filter_map(|value| self.make(|out| JsonStyle::COMPACT.write(value, out)).ok())
                .map(|doc| (doc, 0))
                .collect(),
        };
        if hits.is_empty() {
            Err(format!("nothing at json_path {:?}", path.text()))
        } else {
            Ok(hits)
        }
    }

    fn path(&mut self, path: &JsonPath) -> Result<(), String> {
        for (doc, node) in self.hits(path)? {
            self.add(doc, node, Original::Node);
        }
        Ok(())
    }

    fn embedded(&mut self, path: &JsonPath) -> Result<(), String> {
        for (doc, node) in self.hits(path)? {
            let Some(tree) = self.root.tree().filter(|_| doc == DocId::Unit) else {
                self.embedded_value(doc);
                continue;
            };
            let hit = tree.node(node);
            if hit.kind() != Kind::Text {
                self.refuse(doc, node, Original::Node, "not a text with embedded json");
                continue;
            }
            let parsed = self.pool.parse(|source| hit.write_json_source(source));
            self.embedded_doc(parsed.map_err(|error| error.to_string()), doc, node);
        }
        Ok(())
    }

    /// A hit that is a document of its own, because the path was not walked by us.
    fn embedded_value(&mut self, doc: DocId) {
        let mut text = String::new();
        if let Some(tree) = self
            .pool
            .tree(doc, None)
            .filter(|tree| tree.root().kind() == Kind::Text)
        {
            tree.root().write_json_source(&mut text);
        }
        let parsed = self
            .pool
            .parse(|source| source.push_str(&text))
            .map_err(|error| error.to_string());
        self.embedded_doc(parsed, doc, 0);
    }

    fn embedded_doc(&mut self, parsed: Result<DocId, String>, doc: DocId, node: u32) {
        let made = match parsed {
            Ok(made) => made,
            Err(problem) => {
                return self.refuse(doc, node, Original::Node, &format!("embedded text is {problem}"));
            }
        };
        let is_object = self
            .pool
            .tree(made, None)
            .is_some_and(|tree| tree.root().kind() == Kind::Map);
        if is_object {
            self.add(made, 0, Original::Node);
        } else {
            self.refuse(doc, node, Original::Node, "embedded json is not an object");
        }
    }

    fn regex_key(&mut self, key: &str) -> Result<(), String> {
        let root = self.root.object().ok_or("not a json object")?;
        let value = root
            .get(key)
            .filter(|value| value.is_truthy())
            .ok_or_else(|| format!("nothing under {key:?}"))?;
        let text = match value.as_json_source() {
            Some(text) => text,
            None => {
                let mut text = String::new();
                value.write_python_str(&mut text);
                Cow::Owned(text)
            }
        };
        let hit = EMBEDDED
            .find(&text)
            .ok_or_else(|| format!("no json within {key:?}"))?;
        let doc = self
            .pool
            .parse(|source| source.push_str(hit.as_str()))
            .map_err(|error| error.to_string())?;
        if self
            .pool
            .tree(doc, None)
            .is_none_or(|tree| tree.root().kind() != Kind::Map)
        {
            return Err(format!("the json within {key:?} is not an object"));
        }
        self.add(doc, 0, Original::Unit);
        Ok(())
    }

    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) -> Result<(), String> {
        let mut mismatch = None;
        let doc = self.make(|out| {
            if let Err(problem) = write(out) {
                out.clear();
                out.extend_from_slice(b"{}");
                mismatch = Some(problem);
            }
        })?;
        match mismatch {
            Some(problem) => Err(problem),
            None => {
                self.add(doc, 0, Original::Unit);
                Ok(())
            }
        }
    }

    fn csv_at(&mut self, path: &JsonPath, dialect: &Dialect, fields: &Fields) -> Result<(), String> {
        for (doc, node) in self.hits(path)? {
            let text = self.pool.tree(doc, self.root.tree()).and_then(|tree| {
                let hit = tree.node(node);
                hit.as_str().map(Cow::into_owned)
            });
            match text {
                Some(text) => self.csv(&text, dialect, fields, false)?,
                None => self.refuse(doc, node, Original::Node, "not a text with csv"),
            }
        }
        Ok(())
    }

    fn csv(&mut self, text: &str, dialect: &Dialect, fields: &Fields, is_unit: bool) -> Result<(), String> {
        let (rows, error) = read_rows(text, dialect);
        let only = is_unit && rows.len() == 1 && error.is_none();
        for row in rows {
            let original = if only {
                Original::Unit
            } else {
                Original::Text(text[row.start..row.end].into())
            };
            let mut problem = None;
            let doc = self.make(|out| {
                if let Err(mismatch) = write_row(&row.columns, dialect, fields, out) {
                    out.clear();
                    out.extend_from_slice(b"[]");
                    problem = Some(mismatch);
                }
            })?;
            match problem {
                None => self.add(doc, 0, original),
                Some(problem) => self.refuse(doc, 0, original, &problem),
            }
        }
        if let Some(error) = error {
            let doc = self.make(|out| out.extend_from_slice(b"[]"))?;
            let original = if is_unit {
                Original::Unit
            } else {
                Original::Text(text.into())
            };
            self.refuse(doc, 0, original, error.reason());
        }
        if self.found.is_empty() {
            Err("no rows".to_owned())
        } else {
            Ok(())
        }
    }
}

/// Appends the object of a row; a column with a nested schema is CSV of the same dialect, of which the first row
/// counts.
fn write_row(
    columns: &[String],
    dialect: &Dialect,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if columns.len() != fields.len() || fields.is_empty() {
        return Err(format!(
            "{} columns where {} are expected",
            columns.len(),
            fields.len()
        ));
    }
    out.push(b'{');
    for (at, (field, column)) in fields.iter().zip(columns).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&field.json_key);
        match &field.kind {
            FieldType::Nested(nested) => {
                let (rows, error) = read_rows(column, dialect);
                let row = rows.first().ok_or_else(|| match error {
                    Some(error) => format!("{}: {}", field.name, error.reason()),
                    None => format!("{}: empty where csv is expected", field.name),
                })?;
                write_row(&row.columns, dialect, nested, out)
                    .map_err(|problem| format!("{}: {problem}", field.name))?;
            }
            FieldType::Anything => return Err(format!("{}: a column cannot be an object", field.name)),
            _ => write_json_text(column, out),
        }
    }
    out.push(b'}');
    Ok(())
}
