//! Loads rule files without Python: runs the module level of files that consists of imports, constants, classes,
//! functions and `@rule` decorators, and answers what a CPython would have exported.
//!
//! What is beyond that is told with file, line and construct; the names that it would have bound are unknown, and
//! whoever uses them falls back. All else of the file loads.

mod builtin;
mod comp;
mod expr;
mod heap;
mod importing;
mod imports;
mod logger;
mod mention;
mod module;
mod options;
mod values;

use std::collections::BTreeMap;

use self::heap::Heap;
pub use self::imports::ImportGraph;
use self::module::Loader;
use crate::export::{Export, ExportedRule, ObjectId, Source};

/// What came of loading.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The linked objects, to be compiled.
    pub export: Export,
    /// The rules with their options, in the order of [`Export::rules`].
    pub rules: Vec<LoadedRule>,
    /// What could not be understood, in order of files and lines.
    pub problems: Vec<Problem>,
}

/// A rule as its decorator describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRule {
    /// Name of the function.
    pub name: String,
    /// The file.
    pub file: String,
    /// Line of the first decorator, from 1.
    pub line: u32,
    /// The docstring as written.
    pub description: Option<String>,
    /// Options that are data, by keyword: `logs`, `outputs`, `merge_by_keys` … Not `matchers`, `dynamic_outputs`
    /// and `context`, which are in the export.
    pub options: BTreeMap<String, serde_json::Value>,
    /// `@disable` is among its decorators.
    pub disabled: bool,
}

/// Something that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 when it is about the file.
    pub line: u32,
    /// What is there.
    pub message: String,
}

/// Loads the `wanted` files of `files` (path → text, paths relative to where imports start from, with `/`) and what
/// they import of the others. `python` is the version to behave as.
#[must_use]
pub fn load<'a>(
    files: &BTreeMap<String, String>,
    wanted: impl IntoIterator<Item = &'a str>,
    python: (u8, u8, u8),
) -> Loaded {
    let mut loader = Loader {
        files,
        heap: Heap::default(),
        modules: BTreeMap::new(),
        rules: Vec::new(),
        problems: Vec::new(),
        sources: Vec::new(),
        publishers: Default::default(),
        depth: 0,
    };
    for path in wanted {
        loader.file(path);
    }
    let mut loaded = Loaded {
        problems: loader.problems,
        ..Loaded::default()
    };
    for (rule, exported) in loader.rules {
        loaded.rules.push(rule);
        loaded.export.rules.push(exported);
    }
    loaded.export.version = 1;
    loaded.export.python = python;
    loaded.export.sources = loader.sources;
    loaded.export.objects = loader.heap.objects;
    loaded
}

/// Loads one file that imports no other.
#[must_use]
pub fn load_source(source: &str, file: &str, python: (u8, u8, u8)) -> Loaded {
    let files = BTreeMap::from([(file.to_owned(), source.to_owned())]);
    load(&files, [file], python)
}

/// Loads and compiles one file that imports no other, as Python 3.11.
///
/// # Errors
/// The first problem.
pub fn compile_source(source: &str, file: &str) -> Result<crate::program::Program, Problem> {
    let loaded = load_source(source, file, (3, 11, 7));
    if let Some(problem) = loaded.problems.into_iter().next() {
        return Err(problem);
    }
    crate::lower::compile(&loaded.export).map_err(|error| Problem {
        file: file.to_owned(),
        line: 0,
        message: error.to_string(),
    })
}

/// A rule with its place in the export.
type Ruled = (LoadedRule, ExportedRule);

fn source_of(file: &str, text: &str) -> Source {
    Source {
        file: file.to_owned(),
        text: text.to_owned(),
    }
}

/// The members of a container object.
fn members(ids: &[ObjectId]) -> Vec<ObjectId> {
    ids.to_vec()
}

#[cfg(test)]
mod tests;
