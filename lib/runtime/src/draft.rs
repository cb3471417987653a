//! Rules that are being written: files that changed since a rule set was loaded, loaded natively in some milliseconds, to
//! be tried beside that rule set until CPython has loaded them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamalert_native::load::ImportGraph;
use streamalert_python::{LoadReport, PoolOptions};

use crate::load::{apart, load_texts};
use crate::without_python::{self, PYTHON};
use crate::{Runtime, StartError};

/// The Python files of a project, kept in memory, and who imports whom.
pub struct Drafts {
    root: PathBuf,
    /// Folders with rules and matchers, and those with publishers.
    dirs: Vec<PathBuf>,
    publisher_dirs: Vec<PathBuf>,
    texts: Arc<BTreeMap<String, String>>,
    graph: ImportGraph,
}

/// What a change of a Python file touches, as paths below the repository, with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// These files with rules or matchers.
    Files(BTreeSet<String>),
    /// More than rules, such as a publisher, or a file outside of the repository.
    Everything,
}

impl Drafts {
    /// Reads the files of a runtime's project.
    ///
    /// # Errors
    /// The repository is not there.
    pub async fn read(runtime: &Runtime) -> Result<Self, StartError> {
        let options = runtime.options().python.clone();
        apart(move || Self::read_now(&options)).await?
    }

    fn read_now(options: &PoolOptions) -> Result<Self, StartError> {
        let (files, _) = without_python::read(options)?;
        let root = options.repo_root.canonicalize()?;
        let mut graph = ImportGraph::default();
        for (path, text) in &files.texts {
            graph.put(path, text);
        }
        let below = |dirs: &[PathBuf]| dirs.iter().map(|dir| root.join(dir)).collect::<Vec<_>>();
        Ok(Self {
            dirs: [below(&options.rule_dirs), below(&options.matcher_dirs)].concat(),
            publisher_dirs: below(&options.publisher_dirs),
            texts: Arc::new(files.texts),
            graph,
            root,
        })
    }

    /// Reads a file again, which may be new or gone, and answers what that touches.
    pub fn changed(&mut self, path: &Path) -> Reach {
        let Some(name) = self.name(path) else {
            return Reach::Everything;
        };
        let before = self.graph.importers(&name);
        let texts = Arc::make_mut(&mut self.texts);
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.graph.put(&name, &text);
                texts.insert(name.clone(), text);
            }
            Err(_) => {
                self.graph.remove(&name);
                texts.remove(&name);
            }
        }
        let mut reached = self.graph.importers(&name);
        reached.extend(before);
        if reached
            .iter()
            .any(|name| self.is_below(&self.publisher_dirs, name))
        {
            return Reach::Everything;
        }
        reached.retain(|name| self.is_below(&self.dirs, name));
        Reach::Files(reached)
    }

    fn is_below(&self, dirs: &[PathBuf], name: &str) -> bool {
        let path = self.root.join(name);
        dirs.iter().any(|dir| path.starts_with(dir))
    }

    /// The path of a file below the repository.
    fn name(&self, path: &Path) -> Option<String> {
        // A file that is gone has no canonical path, its folder mostly does.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        let path = folder.join(path.file_name()?);
        let relative = path.strip_prefix(&self.root).ok()?;
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        Some(parts.join("/"))
    }

    /// Whether a file is as it was when it was last read.
    #[must_use]
    pub fn is_current(&self, path: &Path) -> bool {
        let known = self.name(path).and_then(|name| self.texts.get(&name));
        known == std::fs::read_to_string(path).ok().as_ref()
    }

    /// All files that the rules, matchers and publishers consist of, with what they import of the repository.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let dirs = [self.dirs.as_slice(), &self.publisher_dirs].concat();
        let own = self.texts.keys().filter(|name| self.is_below(&dirs, name));
        let all = self.graph.imported(own.map(String::as_str));
        all.into_iter().map(|name| self.root.join(name)).collect()
    }

    /// Where a file of the repository is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A runtime of the rules of these files alone, as they were when last read, on the threads and with the lookup
    /// tables of `runtime`. It never asks CPython: a pair that needs it is killed for that reason. What the loader does
    /// not understand is among the errors of the report; the rules are then not to be trusted.
    ///
    /// # Errors
    /// The rules do not compile, or two of them have one name.
    pub async fn load(
        &self,
        runtime: &Runtime,
        files: &BTreeSet<String>,
    ) -> Result<(Runtime, LoadReport), StartError> {
        let known = files.iter().filter(|name| self.texts.contains_key(*name));
        let python = version(&runtime.current().report().python_version).unwrap_or(PYTHON);
        let limits = runtime.options().limits;
        let loaded = load_texts(self.texts.clone(), known.cloned().collect(), python, limits).await?;
        Ok(runtime.beside(loaded))
    }
}

fn version(text: &str) -> Option<(u8, u8, u8)> {
    let mut numbers = text.split('.').map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next()?))
}
