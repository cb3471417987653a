use std::collections::{BTreeMap, BTreeSet};

use super::fields::FieldSetting;
use super::secrets::SecretValue;
use super::section::{Key, Kind};
use super::shape::{Form, SECTIONS, Slot, Unknown, name_at, resolve};
use super::tree::{Node, Tree};
use crate::problem::{Place, Problem, dotted};
use crate::suggest::{did_you_mean, nearest};

/// Environment variables that begin so and contain `__` are settings.
pub(super) const ENV_PREFIX: &str = "STREAMALERT_";

/// How a layer spells a key, for hints.
#[derive(Clone, Copy)]
enum Spelling {
    File,
    Environment,
    Flag,
}

impl Spelling {
    fn of(self, path: &[String]) -> String {
        match self {
            Self::File => format!("{:?}", path.last().map_or("", String::as_str)),
            Self::Environment => {
                let segments: Vec<String> = path.iter().map(|segment| env_form(segment)).collect();
                format!("{ENV_PREFIX}{}", segments.join("__").to_uppercase())
            }
            Self::Flag => {
                let segments: Vec<String> = path.iter().map(|segment| toml_form(segment)).collect();
                format!("--set {}=…", segments.join("."))
            }
        }
    }
}

/// A name as TOML takes it.
fn toml_form(name: &str) -> String {
    let bare = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// A name as it can stand in an environment variable.
fn env_form(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

/// File, environment and flags laid over each other, later over earlier.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) merged: toml::Table,
    /// Where each key got its value, by dotted path.
    pub(super) places: BTreeMap<String, Place>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn add_file(&mut self, file: &str, text: &str) {
        match Tree::parse(file, text) {
            Ok(tree) => self.add(&mut Vec::new(), tree, Spelling::File),
            Err(problems) => self.problems.extend(problems),
        }
    }

    pub(super) fn add_environment(&mut self, env: &BTreeMap<String, String>) {
        for (variable, text) in env {
            let Some(rest) = variable.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            let place = Place::of_file(format!("environment {variable}"));
            let rest = rest.to_lowercase();
            let is_list = SECTIONS
                .iter()
                .any(|info| info.form == Form::List && info.name == rest);
            if !rest.contains("__") && !is_list {
                self.reject_single_underscore(&place, &rest);
                continue;
            }
            let mut path: Vec<String> = rest.split("__").map(str::to_owned).collect();
            if let Some(at) = name_at(&path) {
                match self
                    .names(&path[..at])
                    .into_iter()
                    .find(|name| env_form(name) == path[at])
                {
                    Some(name) => path[at] = name,
                    None => {
                        let fix = "name it in streamalert.toml first, or give a --set flag";
                        let key = dotted(path[..at].iter().map(String::as_str));
                        self.problems
                            .push(place.error(key, format!("no {:?} to change", path[at]), fix));
                        continue;
                    }
                }
            }
            let value = value_of(&path, text);
            self.add(&mut path, Tree::at(&place, value), Spelling::Environment);
        }
    }

    /// A setting with one underscore too few would be ignored silently.
    fn reject_single_underscore(&mut self, place: &Place, rest: &str) {
        for info in SECTIONS.iter().filter(|info| info.form == Form::One) {
            for key in info.keys {
                if rest == format!("{}_{}", info.name, key.name()) {
                    let path = [info.name.to_owned(), key.name().to_owned()];
                    let fix = format!("did you mean {}?", Spelling::Environment.of(&path));
                    self.problems.push(place.error("", "not a setting", fix));
                }
            }
        }
    }

    pub(super) fn add_flags(&mut self, flags: &[String]) {
        for flag in flags {
            let place = Place::of_file(format!("flag --set {}", without_secret(flag)));
            let Some((mut path, text)) = split_flag(flag) else {
                let fix = "write --set section.key=value";
                self.problems
                    .push(place.error("", "is not of the form section.key=value", fix));
                continue;
            };
            let value = value_of(&path, text);
            self.add(&mut path, Tree::at(&place, value), Spelling::Flag);
        }
    }

    /// Names that the user chose below `path`.
    fn names(&self, path: &[String]) -> BTreeSet<String> {
        let mut table = Some(&self.merged);
        for segment in path {
            table = table.and_then(|t| t.get(segment)).and_then(toml::Value::as_table);
        }
        table.map(|t| t.keys().cloned().collect()).unwrap_or_default()
    }

    fn add(&mut self, path: &mut Vec<String>, tree: Tree, spelling: Spelling) {
        let key = || dotted(path.iter().map(String::as_str));
        match resolve(path) {
            Err(unknown) => {
                let problem = unknown_key(&tree.place, path, &unknown, spelling);
                self.problems.push(problem);
            }
            Ok(Slot::Value(setting)) => self.add_value(path, setting, tree),
            Ok(Slot::SecretOf) => self.add_secret(path, tree),
            Ok(Slot::FieldOf) => self.add_field(path, tree),
            Ok(Slot::List) => match tree.node {
                Node::List(items) => {
                    self.insert(path, toml::Value::Array(Vec::new()), tree.place);
                    for (index, item) in items.into_iter().enumerate() {
                        path.push(index.to_string());
                        self.add(path, item, spelling);
                        path.pop();
                    }
                }
                _ => {
                    let fix = format!("write [[{}]]", key());
                    self.problems
                        .push(tree.place.error(key(), "expected a list of tables", fix));
                }
            },
            Ok(Slot::Table) => match tree.node {
                Node::Table(entries) => self.add_entries(path, tree.place, entries, spelling),
                _ => {
                    let fix = format!("write [{}] and its keys below", key());
                    self.problems
                        .push(tree.place.error(key(), "expected a table", fix));
                }
            },
        }
    }

    fn add_entries(
        &mut self,
        path: &mut Vec<String>,
        place: Place,
        entries: Vec<(String, Place, Tree)>,
        spelling: Spelling,
    ) {
        self.places
            .insert(dotted(path.iter().map(String::as_str)), place.clone());
        let is_list_item =
            path.len() == 2 && SECTIONS.iter().any(|i| i.form == Form::List && i.name == path[0]);
        // A named table or list item without keys exists all the same.
        if !path.is_empty() && (name_at(path) == Some(path.len() - 1) || is_list_item) {
            self.touch(path, &place);
        }
        for (name, key_place, mut child) in entries {
            path.push(name);
            // An unknown key is shown at the key, a wrong value at the value.
            if resolve(path).is_err() {
                child.place = key_place;
            }
            self.add(path, child, spelling);
            path.pop();
        }
    }

    fn add_value(&mut self, path: &[String], setting: &Key, tree: Tree) {
        let key = dotted(path.iter().map(String::as_str));
        let place = tree.place.clone();
        let tree = match tree.node {
            Node::Table(entries) if setting.kind == Kind::SecretTable => {
                self.insert(path, toml::Value::Table(toml::Table::new()), place);
                for (name, _, text) in entries {
                    let path: Vec<String> = path.iter().cloned().chain([name]).collect();
                    self.add_secret(&path, text);
                }
                return;
            }
            Node::Table(entries) if setting.kind == Kind::FieldTable => {
                self.insert(path, toml::Value::Table(toml::Table::new()), place);
                for (name, _, field) in entries {
                    let path: Vec<String> = path.iter().cloned().chain([name]).collect();
                    self.add_field(&path, field);
                }
                return;
            }
            _ => tree,
        };
        let value = tree.into_value();
        if !(setting.fits)(value.clone()) {
            let expected = setting.kind.expected();
            let message = match (&value, setting.kind) {
                (toml::Value::String(text), Kind::Choice(words)) => {
                    let fix = did_you_mean(text, words.iter().copied());
                    self.problems
                        .push(place.error(key, format!("unknown value {text:?}"), fix));
                    return;
                }
                _ if setting.kind.is_secret() => format!("expected {expected}, found {}", kind_of(&value)),
                _ => format!("expected {expected}, found {}", shown(&value)),
            };
            self.problems
                .push(place.error(key, message, format!("write {}", example(setting.kind))));
            return;
        }
        if let (Some((min, max)), toml::Value::Integer(number)) = (setting.range, &value)
            && u64::try_from(*number).is_ok_and(|number| !(min..=max).contains(&number))
        {
            let message = format!("{number} is out of range");
            self.problems
                .push(place.error(key, message, format!("write a number from {min} to {max}")));
            return;
        }
        self.insert(path, value, place);
    }

    fn add_field(&mut self, path: &[String], tree: Tree) {
        let place = tree.place.clone();
        let value = tree.clone().into_value();
        match tree.node {
            // what is wrong with one text of a table is shown at that text
            Node::Table(entries) if !SecretValue::fits(&value) => {
                self.insert(path, toml::Value::Table(toml::Table::new()), place);
                for (name, _, text) in entries {
                    let path: Vec<String> = path.iter().cloned().chain([name]).collect();
                    self.add_secret(&path, text);
                }
            }
            _ if FieldSetting::fits(&value) => self.insert(path, value, place),
            _ => {
                let expected = Kind::Field.expected();
                let message = format!("expected {expected}, found {}", kind_of(&value));
                let key = dotted(path.iter().map(String::as_str));
                self.problems
                    .push(place.error(key, message, example(Kind::Field)));
            }
        }
    }

    fn add_secret(&mut self, path: &[String], tree: Tree) {
        let place = tree.place.clone();
        let value = tree.into_value();
        if SecretValue::fits(&value) {
            self.insert(path, value, place);
        } else {
            let message = format!("expected a secret, found {}", kind_of(&value));
            let key = dotted(path.iter().map(String::as_str));
            self.problems
                .push(place.error(key, message, example(Kind::Secret)));
        }
    }

    fn insert(&mut self, path: &[String], value: toml::Value, place: Place) {
        let (last, parents) = path.split_last().expect("the empty path is a table");
        if let Some(table) = self.table_at(parents, &place) {
            table.insert(last.clone(), value);
            self.places.insert(dotted(path.iter().map(String::as_str)), place);
        }
    }

    fn touch(&mut self, path: &[String], place: &Place) {
        self.table_at(path, place);
    }

    /// The table at `path`, made when absent. List items are made one after the other only.
    fn table_at(&mut self, path: &[String], place: &Place) -> Option<&mut toml::Table> {
        let mut table = &mut self.merged;
        let mut at = 0;
        while at < path.len() {
            let is_list = at == 0 && SECTIONS.iter().any(|i| i.form == Form::List && i.name == path[0]);
            let empty: toml::Value = if is_list {
                toml::Value::Array(Vec::new())
            } else {
                toml::Value::Table(toml::Table::new())
            };
            let next = table.entry(path[at].clone()).or_insert(empty);
            at += 1;
            table = match next {
                toml::Value::Table(inner) => inner,
                toml::Value::Array(items) if at < path.len() => {
                    let index = path[at]
                        .parse::<usize>()
                        .ok()
                        .filter(|index| *index <= items.len());
                    let Some(index) = index else {
                        let message = format!("there is no entry {:?}, only {}", path[at], items.len());
                        let fix = "count from 0";
                        self.problems.push(place.error(path[0].as_str(), message, fix));
                        return None;
                    };
                    if index == items.len() {
                        items.push(toml::Value::Table(toml::Table::new()));
                    }
                    at += 1;
                    items[index]
                        .as_table_mut()
                        .expect("list sections hold tables only")
                }
                _ => return None,
            };
        }
        Some(table)
    }
}

fn unknown_key(place: &Place, path: &[String], unknown: &Unknown, spelling: Spelling) -> Problem {
    let word = path[unknown.at].as_str();
    let known = &path[..=unknown.at];
    let fix = match nearest(word, unknown.candidates.iter().copied()) {
        Some(better) => {
            let mut path = path.to_vec();
            path[unknown.at] = better.to_owned();
            if matches!(spelling, Spelling::File) {
                path.truncate(unknown.at + 1);
            }
            format!("did you mean {}?", spelling.of(&path))
        }
        None => did_you_mean(word, unknown.candidates.iter().copied()),
    };
    let message = if unknown.at == 0 {
        "unknown section"
    } else {
        "unknown key"
    };
    place.error(dotted(known.iter().map(String::as_str)), message, fix)
}

/// The value that `text` of an environment variable or flag means for the key at `path`.
fn value_of(path: &[String], text: &str) -> toml::Value {
    let as_text = || toml::Value::String(text.to_owned());
    let kind = match resolve(path) {
        Ok(Slot::Value(key)) => key.kind,
        Ok(Slot::SecretOf) => Kind::Secret,
        Ok(Slot::FieldOf) => Kind::Field,
        Err(_) => return as_text(),
        Ok(Slot::Table | Slot::List) => Kind::Nested,
    };
    if kind.is_bare_text()
        || (kind == Kind::Secret && !text.trim_start().starts_with('{'))
        || (kind == Kind::Field && !text.trim_start().starts_with(['{', '[']))
    {
        return as_text();
    }
    if kind == Kind::Texts && !text.trim_start().starts_with('[') {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect());
    }
    let document = format!("value = {text}").parse::<toml::Table>();
    document
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(as_text)
}

/// A flag as complaints show it: what is set of an output may be a secret.
fn without_secret(flag: &str) -> &str {
    match flag.split_once('=') {
        Some((key, _)) if key.trim_start().starts_with("outputs") => key,
        _ => flag,
    }
}

/// `section."quoted.key".key=value` in parts.
fn split_flag(flag: &str) -> Option<(Vec<String>, &str)> {
    let mut quoted = false;
    let equals = flag.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '=' && !quoted).then_some(at)
    })?;
    let mut value = toml::Value::Table(format!("{} = 0", &flag[..equals]).parse().ok()?);
    let mut path = Vec::new();
    while let toml::Value::Table(table) = value {
        let (key, inner) = table.into_iter().next()?;
        path.push(key);
        value = inner;
    }
    Some((path, &flag[equals + 1..]))
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(_) => "a table".to_owned(),
        toml::Value::Array(_) => "a list".to_owned(),
        toml::Value::String(text) => format!("text {text:?}"),
        other => other.to_string(),
    }
}

/// What a value is, and nothing of it.
fn kind_of(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::Table(_) => "a table",
        toml::Value::Array(_) => "a list",
        toml::Value::String(_) => "text",
        _ => "something else",
    }
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "a whole number without quotes, such as 100",
        Kind::Number => "a number without quotes, such as 0.5",
        Kind::Boolean => "true or false without quotes",
        Kind::Text | Kind::Path | Kind::Choice(_) => "it in double quotes",
        Kind::Texts => "[\"one\", \"two\"]",
        Kind::Address => "\"ADDRESS:PORT\" with a numeric address",
        Kind::Secret => SecretValue::FORMS,
        Kind::Field => "\"text\", { env = \"NAME\" }, 100, true, [\"one\", \"two\"] or { NAME = \"value\" }",
        Kind::FieldTable => "[outputs.\"NAME\".fields] and its keys below",
        Kind::SecretTable => "{ NAME = \"value\" }",
        Kind::Nested => "a table",
    }
}
