//! Loading where no Python is: the module level of the user's files is run natively, as far as it is known.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use streamalert_detect::{DEFAULT_DESCRIPTION, PublisherPlan, RuleInfo, RuleSet};
use streamalert_native::export::{Export, ExportedRule};
use streamalert_native::load::{self, LoadedRule};
use streamalert_python::{LoadError, LoadErrorKind, LoadReport, PoolOptions};

use crate::StartError;

/// The Python whose behaviour is meant when there is none.
pub(crate) const PYTHON: (u8, u8, u8) = (3, 11, 7);

/// Python files of a project that are read at most, and their bytes altogether.
const FILES_MAX: usize = 20_000;
const BYTES_MAX: u64 = 256 << 20;

/// How far folders are followed down.
const DEPTH_MAX: usize = 32;

/// What was found.
pub(crate) struct Found {
    pub(crate) report: LoadReport,
    pub(crate) export: Export,
    pub(crate) fingerprint: blake3::Hash,
}

/// Reads and loads the user's files. Blocks.
pub(crate) fn load(options: &PoolOptions) -> Result<Found, StartError> {
    let (files, wanted) = read(options)?;
    let mut found = loaded(&files.texts, &wanted, PYTHON)?;
    found.report.errors.splice(0..0, files.errors);
    Ok(found)
}

/// Reads the project's Python files; answers also the paths of those that may hold rules or matchers. Blocks.
///
/// # Errors
/// The repository is not there.
pub(crate) fn read(options: &PoolOptions) -> Result<(Files, Vec<String>), StartError> {
    let root = options
        .repo_root
        .canonicalize()
        .map_err(|error| StartError::Compile {
            reason: format!("{}: {error}", options.repo_root.display()),
        })?;
    let mut files = Files::default();
    // Folders that hold matchers and rules come first, so that a root with much else in it does not crowd them out.
    let mut wanted = Vec::new();
    for dir in options.matcher_dirs.iter().chain(&options.rule_dirs) {
        wanted.extend(files.below(&root, &root.join(dir), DEPTH_MAX));
    }
    for dir in &options.publisher_dirs {
        files.below(&root, &root.join(dir), DEPTH_MAX);
    }
    files.below(&root, &root, DEPTH_MAX);
    let mut known = std::collections::HashSet::new();
    wanted.retain(|path| known.insert(path.clone()));
    Ok((files, wanted))
}

/// Loads the `wanted` ones of these files and what they import. Blocks.
pub(crate) fn loaded(
    texts: &BTreeMap<String, String>,
    wanted: &[String],
    python: (u8, u8, u8),
) -> Result<Found, StartError> {
    let loaded = load::load(texts, wanted.iter().map(String::as_str), python);
    let hashes = Hashes::of(texts, wanted);
    let errors = loaded.problems.iter().map(|problem| LoadError {
        file: PathBuf::from(&problem.file),
        line: problem.line,
        kind: LoadErrorKind::InvalidRule,
        message: format!("not known without python: {}", problem.message),
        traceback: String::new(),
    });
    let errors = errors.collect();
    let rules = loaded.rules.iter().zip(&loaded.export.rules);
    let rules = rules
        .map(|(rule, exported)| info(rule, exported, &hashes))
        .collect();
    let rules = RuleSet::new(rules).map_err(|error| StartError::Compile {
        reason: error.to_string(),
    })?;
    Ok(Found {
        report: LoadReport {
            rules: Arc::new(rules),
            publishers: Vec::new(),
            errors,
            warnings: Vec::new(),
            python_version: "none".to_owned(),
        },
        export: loaded.export,
        fingerprint: hashes.all,
    })
}

/// Python files by their path below the root, with `/`.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) texts: BTreeMap<String, String>,
    errors: Vec<LoadError>,
    bytes: u64,
}

impl Files {
    /// Reads those below a folder, or the file itself, and answers their paths, sorted.
    fn below(&mut self, root: &Path, path: &Path, depth: usize) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(root, path, depth, &mut found);
        found.sort();
        found
    }

    fn collect(&mut self, root: &Path, path: &Path, depth: usize, found: &mut Vec<String>) {
        if !path.is_dir() {
            if path.extension().is_some_and(|extension| extension == "py")
                && let Some(name) = self.read(root, path)
            {
                found.push(name);
            }
            return;
        }
        let Some(depth) = depth.checked_sub(1) else { return };
        let Ok(entries) = std::fs::read_dir(path) else {
            return;
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Links to folders are not followed, as they may lead in circles.
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let skipped =
                name.starts_with('.') || matches!(&*name, "__pycache__" | "node_modules" | "site-packages");
            if !skipped && (is_dir || !entry.path().is_dir()) {
                self.collect(root, &entry.path(), depth, found);
            }
        }
    }

    fn read(&mut self, root: &Path, path: &Path) -> Option<String> {
        let relative = path.strip_prefix(root).ok()?;
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        if self.texts.contains_key(&name) {
            return Some(name);
        }
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        if self.texts.len() >= FILES_MAX || self.bytes.saturating_add(length) > BYTES_MAX {
            return None;
        }
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.bytes += length;
                self.texts.insert(name.clone(), text);
                Some(name)
            }
            Err(error) => {
                self.errors.push(LoadError {
                    file: relative.to_owned(),
                    line: 0,
                    kind: LoadErrorKind::Exception,
                    message: error.to_string(),
                    traceback: String::new(),
                });
                None
            }
        }
    }
}

/// Hashes of the code of rules: each file with rules for itself, and all others, which any of them may use.
struct Hashes {
    all: blake3::Hash,
    by_file: HashMap<String, Arc<str>>,
}

impl Hashes {
    fn of(texts: &BTreeMap<String, String>, wanted: &[String]) -> Self {
        let mut all = blake3::Hasher::new();
        let mut shared = blake3::Hasher::new();
        for (name, text) in texts {
            for part in [name, text] {
                all.update(&(part.len() as u64).to_le_bytes());
                all.update(part.as_bytes());
            }
            if !wanted.contains(name) {
                shared.update(text.as_bytes());
            }
        }
        let shared = shared.finalize();
        let by_file = wanted.iter().filter_map(|name| {
            let mut own = blake3::Hasher::new();
            own.update(shared.as_bytes());
            own.update(texts.get(name)?.as_bytes());
            Some((name.clone(), own.finalize().to_hex().as_str().into()))
        });
        Self {
            all: all.finalize(),
            by_file: by_file.collect(),
        }
    }
}

fn info(rule: &LoadedRule, exported: &ExportedRule, hashes: &Hashes) -> RuleInfo {
    let option = |name: &str| rule.options.get(name);
    let texts = |name: &str| option(name).map(texts).unwrap_or_default();
    let logs = option("logs").filter(|logs| !logs.is_null());
    let window = option("merge_window_mins").and_then(Value::as_i64).unwrap_or(0);
    let subkeys = option("req_subkeys").and_then(Value::as_object);
    RuleInfo {
        description: rule.description.as_deref().unwrap_or(DEFAULT_DESCRIPTION).into(),
        logs: logs.map(|logs| self::texts(logs).into_iter().map(Arc::from).collect()),
        datatypes: texts("datatypes"),
        outputs: texts("outputs")
            .iter()
            .filter_map(|output| output.parse().or_else(|_| format!("{output}:").parse()).ok())
            .collect(),
        dynamic_outputs: !exported.dynamic_outputs.is_empty(),
        publishers: option("publishers").map_or(PublisherPlan::None, publishers),
        merge_by_keys: texts("merge_by_keys").into(),
        merge_window_mins: u32::try_from(window.max(0)).unwrap_or(u32::MAX).min(1 << 31),
        merge_send_first: option("merge_send_first").is_some_and(is_true),
        req_subkeys: subkeys
            .into_iter()
            .flatten()
            .map(|(key, subs)| (key.clone(), self::texts(subs)))
            .collect::<IndexMap<_, _>>(),
        matchers: u32::try_from(exported.matchers.len()).unwrap_or(u32::MAX),
        context: exported.context.is_some(),
        disabled: rule.disabled,
        file: PathBuf::from(&rule.file),
        line: rule.line,
        code_hash: hashes.by_file.get(&rule.file).cloned().unwrap_or_default(),
        ..RuleInfo::named(&rule.name, &[])
    }
}

/// Python's truth of an option.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}

/// The texts of a list; text is a list of one.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn publishers(value: &Value) -> PublisherPlan {
    match value {
        Value::Object(map) => {
            let map = map.iter().map(|(output, names)| (output.clone(), texts(names)));
            PublisherPlan::ByOutput(map.collect())
        }
        Value::Null => PublisherPlan::None,
        names => PublisherPlan::All(texts(names)),
    }
}
