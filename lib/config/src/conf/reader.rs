use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamalert_value::{Map, Value};

use super::keys::{IgnoredKeys, Keys};
use super::kind_of;
use crate::Located;
use crate::problem::{Place, Problem, sort};
use crate::suggest::did_you_mean;

/// Files that StreamAlert 3 knows. Those of earlier versions come with what became of them.
const FILES: [&str; 10] = [
    "clusters",
    "global.json",
    "lambda.json",
    "logs.json",
    "lookup_tables.json",
    "normalized_types.json",
    "outputs.json",
    "scheduled_queries.json",
    "schemas",
    "threat_intel.json",
];

const OLD_FILES: [(&str, &str); 4] = [
    (
        "sources.json",
        "move it into data_sources of conf/clusters/*.json",
    ),
    ("inputs.json", "move it into data_sources of conf/clusters/*.json"),
    (
        "types.json",
        "write normalization into the schemas' configuration",
    ),
    ("ioc_types.json", "move it into threat_intel.json"),
];

/// Reads the files of one directory and collects what is wrong with them.
pub(super) struct Reader {
    dir: PathBuf,
    pub(super) problems: Vec<Problem>,
    ignored: Vec<IgnoredKeys>,
}

impl Reader {
    pub(super) fn new(dir: &Path) -> Result<Self, Vec<Problem>> {
        match std::fs::read_dir(dir) {
            Ok(_) => Ok(Self {
                dir: dir.to_owned(),
                problems: Vec::new(),
                ignored: Vec::new(),
            }),
            Err(error) => {
                let place = Place::of_file(dir.display().to_string());
                let message = format!("the configuration directory cannot be read: {error}");
                Err(vec![place.error(
                    "",
                    message,
                    "name another with --conf DIR or conf.dir",
                )])
            }
        }
    }

    /// The file `name`, checked against the keys that StreamAlert knows; `None` when it is absent or broken.
    pub(super) fn file(&mut self, name: &str, keys: &Keys) -> Option<Arc<Located>> {
        let path = self.dir.join(name);
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                let place = Place::of_file(shown);
                self.problems.push(place.error(
                    "",
                    format!("cannot be read: {error}"),
                    "make it readable, UTF-8",
                ));
                return None;
            }
        };
        let document = match Located::parse(shown, &text) {
            Ok(document) => document,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        self.problems.extend(document.duplicate_warnings());
        if !matches!(document.value(), Value::Map(_)) {
            let message = format!("expected an object, found {}", kind_of(document.value()));
            self.problems.push(document.error(&[], message, "write { … }"));
            return None;
        }
        let mut ignored = Vec::new();
        keys.check(
            &document,
            &mut Vec::new(),
            document.value(),
            &mut self.problems,
            &mut ignored,
        );
        if !ignored.is_empty() {
            self.ignored.push(IgnoredKeys {
                file: document.file().to_owned(),
                keys: ignored,
            });
        }
        Some(Arc::new(document))
    }

    /// Whether `name` is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// How complaints name `name`.
    pub(super) fn shown(&self, name: &str) -> Place {
        Place::of_file(self.dir.join(name).display().to_string())
    }

    /// Names of the JSON files in folder `name`, sorted; `None` when it is absent.
    pub(super) fn folder(&mut self, name: &str) -> Option<Vec<String>> {
        let entries = match std::fs::read_dir(self.dir.join(name)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                let problem = self.shown(name).error(
                    "",
                    format!("cannot be read: {error}"),
                    "make it a readable directory",
                );
                self.problems.push(problem);
                return None;
            }
        };
        // A set: names in order, whatever order the file system gives.
        let names: BTreeSet<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|file| file.ends_with(".json"))
            .map(|file| format!("{name}/{file}"))
            .collect();
        Some(names.into_iter().collect())
    }

    /// Warns of files that StreamAlert would not read.
    pub(super) fn unknown_files(&mut self) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else {
            return;
        };
        let names: BTreeSet<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        for name in names
            .iter()
            .filter(|name| name.ends_with(".json") && !FILES.contains(&name.as_str()))
        {
            let old = OLD_FILES.iter().find(|(old, _)| old == name);
            let (message, fix) = match old {
                Some((_, fix)) => (
                    "is a file of StreamAlert 2 or older and is not read",
                    (*fix).to_owned(),
                ),
                None => (
                    "is not read",
                    did_you_mean(name, FILES.iter().copied().filter(|f| f.contains('.'))),
                ),
            };
            let problem = self.shown(name).warning("", message, fix);
            self.problems.push(problem);
        }
    }

    /// Problems in the order of files and lines, and ignored keys.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<IgnoredKeys>) {
        sort(&mut self.problems);
        (self.problems, self.ignored)
    }

    /// The object at `path` of `document`; a complaint when it is something else.
    pub(super) fn map<'a>(
        &mut self,
        document: &'a Located,
        path: &[&str],
        value: &'a Value,
    ) -> Option<&'a Map> {
        match value {
            Value::Map(map) => Some(map),
            other => {
                let message = format!("expected an object, found {}", kind_of(other));
                self.problems.push(document.error(path, message, "write { … }"));
                None
            }
        }
    }

    /// The text at `path`; a complaint when it is something else.
    pub(super) fn text<'a>(
        &mut self,
        document: &Located,
        path: &[&str],
        value: &'a Value,
    ) -> Option<&'a str> {
        match value {
            Value::Str(text) => Some(text),
            other => {
                let message = format!("expected text, found {}", kind_of(other));
                self.problems
                    .push(document.error(path, message, "put it into double quotes"));
                None
            }
        }
    }

    /// True or false at `path`; a complaint when it is something else.
    pub(super) fn flag(&mut self, document: &Located, path: &[&str], value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            other => {
                let message = format!("expected true or false, found {}", kind_of(other));
                self.problems
                    .push(document.error(path, message, "write true or false without quotes"));
                None
            }
        }
    }

    /// The list of texts at `path`; a complaint for every item that is something else.
    pub(super) fn texts(&mut self, document: &Located, path: &[&str], value: &Value) -> Vec<String> {
        let Value::List(items) = value else {
            let message = format!("expected a list of texts, found {}", kind_of(value));
            self.problems.push(document.error(path, message, "write [\"…\"]"));
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let index = index.to_string();
            let mut path = path.to_vec();
            path.push(&index);
            texts.extend(self.text(document, &path, item).map(str::to_owned));
        }
        texts
    }
}
