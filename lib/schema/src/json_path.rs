//! `json_path` of schemas: JMESPath. Paths of fields with at most one `[*]`, which is all that StreamAlert's own
//! schemas have, are walked on the document as it is; anything else goes through the `jmespath` crate.

use streamalert_value::{Kind, NodeRef, Tree, Value, key_hash};

use crate::Query;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct JsonPath {
    text: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Steps {
        before: Vec<Name>,
        after: Option<Vec<Name>>,
    },
    Other(Query),
}

#[derive(Debug)]
struct Name {
    text: String,
    hash: u32,
}

impl JsonPath {
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let form = match steps(text) {
            Some((before, after)) => Form::Steps { before, after },
            None => Form::Other(Query::compile(text)?),
        };
        Ok(Self {
            text: text.to_owned(),
            form,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether an object without certain keys can be ruled out: the key that must be there, with its hash.
    pub(crate) fn first_key(&self) -> Option<(&str, u32)> {
        match &self.form {
            Form::Steps { before, .. } => before.first().map(|name| (name.text.as_str(), name.hash)),
            Form::Other(_) => None,
        }
    }

    /// Whether it can find something in a text: a path of fields cannot.
    pub(crate) fn takes_texts(&self) -> bool {
        matches!(self.form, Form::Other(_))
    }

    /// Whether it can find something in a list.
    pub(crate) fn takes_lists(&self) -> bool {
        match &self.form {
            Form::Steps { before, .. } => before.is_empty(),
            Form::Other(_) => true,
        }
    }

    /// The records that the expression finds: the elements when it finds a list, nothing when what it finds is
    /// falsy, the one thing otherwise. A projection leaves out nulls.
    pub(crate) fn search(&self, tree: Tree<'_>, nodes: &mut Vec<u32>) -> Option<Vec<Value>> {
        match &self.form {
            Form::Steps { before, after } => {
                let found = walk(tree.root(), before)?;
                match after {
                    Some(after) => {
                        let hits = found.items().filter_map(|item| walk(item, after));
                        nodes.extend(hits.filter(|hit| hit.kind() != Kind::Null).map(NodeRef::index));
                    }
                    None if found.kind() == Kind::List => nodes.extend(found.items().map(NodeRef::index)),
                    None if found.is_truthy() => nodes.push(found.index()),
                    None => {}
                }
                None
            }
            Form::Other(query) => {
                let found = query.search(&tree.root().to_value()).ok()?;
                Some(match found {
                    Value::List(items) => items,
                    other if other.is_truthy() => vec![other],
                    _ => Vec::new(),
                })
            }
        }
    }
}

fn walk<'a>(from: NodeRef<'a>, names: &[Name]) -> Option<NodeRef<'a>> {
    names
        .iter()
        .try_fold(from, |node, name| node.get_hashed(name.hash, &name.text))
}

/// Splits `a.b[*].c`; `None` when the expression holds anything else.
fn steps(text: &str) -> Option<(Vec<Name>, Option<Vec<Name>>)> {
    match text.split_once("[*]") {
        None => Some((names(text)?, None)),
        Some((before, after)) => {
            let before = if before.is_empty() {
                Vec::new()
            } else {
                names(before)?
            };
            let after = if after.is_empty() {
                Vec::new()
            } else {
                names(after.strip_prefix('.')?)?
            };
            Some((before, Some(after)))
        }
    }
}

fn names(text: &str) -> Option<Vec<Name>> {
    text.split('.').map(name).collect()
}

fn name(text: &str) -> Option<Name> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || text.is_empty() || text.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    Some(Name {
        text: text.to_owned(),
        hash: key_hash(text.as_bytes()),
    })
}
