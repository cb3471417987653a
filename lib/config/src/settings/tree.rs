use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Lines, Place, Problem};

/// A TOML value that knows where it stands.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) place: Place,
    pub(super) node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Leaf(toml::Value),
    List(Vec<Tree>),
    /// Key, the key's place, value.
    Table(Vec<(String, Place, Tree)>),
}

impl Tree {
    /// `value`, all of it at `place`.
    pub(super) fn at(place: &Place, value: toml::Value) -> Self {
        let node = match value {
            toml::Value::Array(items) => Node::List(items.into_iter().map(|v| Self::at(place, v)).collect()),
            toml::Value::Table(table) => Node::Table(
                table
                    .into_iter()
                    .map(|(key, v)| (key, place.clone(), Self::at(place, v)))
                    .collect(),
            ),
            leaf => Node::Leaf(leaf),
        };
        Self {
            place: place.clone(),
            node,
        }
    }

    /// The value without its places.
    pub(super) fn into_value(self) -> toml::Value {
        match self.node {
            Node::Leaf(value) => value,
            Node::List(items) => toml::Value::Array(items.into_iter().map(Self::into_value).collect()),
            Node::Table(entries) => toml::Value::Table(
                entries
                    .into_iter()
                    .map(|(key, _, tree)| (key, tree.into_value()))
                    .collect(),
            ),
        }
    }

    /// Reads TOML text.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            file,
            text,
            lines: Lines::of(text),
            problems: Vec::new(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = reader.place(error.span().map_or(0, |span| span.start));
            let message = error.message().trim().to_owned();
            reader
                .problems
                .push(place.error("", format!("not valid toml: {message}"), fix_of(&message)));
        }
        if !reader.problems.is_empty() {
            return Err(reader.problems);
        }
        let start = table.span().start;
        let tree = reader.table(table.get_ref(), start);
        if reader.problems.is_empty() {
            Ok(tree)
        } else {
            Err(reader.problems)
        }
    }
}

fn fix_of(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "keep one of the two"
    } else if ["string", "quote", "boolean", "literal"]
        .iter()
        .any(|word| message.contains(word))
    {
        "put text into double quotes"
    } else {
        "write `key = value` under a [section]"
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    lines: Lines,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let (line, column) = self.lines.place(self.text, offset);
        Place {
            file: self.file.to_owned(),
            line,
            column,
        }
    }

    fn table(&mut self, table: &DeTable<'_>, start: usize) -> Tree {
        let place = self.place(start);
        let mut entries: Vec<(usize, (String, Place, Tree))> = Vec::with_capacity(table.len());
        for (key, value) in table {
            let at = key.span().start;
            let tree = self.value(value);
            entries.push((at, (key.get_ref().to_string(), self.place(at), tree)));
        }
        // The parser hands keys out sorted by name; complaints read better in the order of the file.
        entries.sort_by_key(|(at, _)| *at);
        Tree {
            place,
            node: Node::Table(entries.into_iter().map(|(_, entry)| entry).collect()),
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>) -> Tree {
        let start = value.span().start;
        let place = self.place(start);
        let leaf = match value.get_ref() {
            DeValue::Table(table) => return self.table(table, start),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.value(item)).collect();
                return Tree {
                    place,
                    node: Node::List(items),
                };
            }
            DeValue::String(text) => toml::Value::String(text.to_string()),
            DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
            DeValue::Datetime(moment) => toml::Value::Datetime(*moment),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => toml::Value::Integer(number),
                Err(_) => return self.too_large(place, digits.as_str()),
            },
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) => toml::Value::Float(number),
                Err(_) => return self.too_large(place, digits.as_str()),
            },
        };
        Tree {
            place,
            node: Node::Leaf(leaf),
        }
    }

    fn too_large(&mut self, place: Place, digits: &str) -> Tree {
        let message = format!("number {digits} is out of range");
        self.problems
            .push(place.error("", message, "write a number of at most 63 bits"));
        Tree {
            place,
            node: Node::Leaf(toml::Value::Integer(0)),
        }
    }
}
