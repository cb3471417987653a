//! Which files import which, directly or through others: what a change touches.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast};

use crate::export::Source;
use crate::lower::source::File;

/// The imports of Python files, by path relative to where imports start from, with `/`.
#[derive(Debug, Clone, Default)]
pub struct ImportGraph {
    files: BTreeMap<String, Imports>,
}

/// What one file imports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Imports {
    /// Dotted names that may be modules, with the packages that they are in.
    modules: BTreeSet<String>,
    /// It imports by names that are made when it runs.
    anything: bool,
}

impl ImportGraph {
    /// Takes note of a file's text. Of one that does not parse, what was known before stays: its author is about to
    /// mend it.
    pub fn put(&mut self, path: &str, text: &str) {
        let source = Source {
            file: path.to_owned(),
            text: text.to_owned(),
        };
        let file = File::new(&source);
        let Ok(tree) = &file.tree else {
            self.files.entry(path.to_owned()).or_default();
            return;
        };
        let mut found = Finder {
            path,
            imports: Imports::default(),
        };
        // Packages around a file are imported before it.
        found.module(&module_of(path));
        found.visit_body(tree.suite());
        let mut imports = found.imports;
        imports.anything = ["importlib", "__import__"].iter().any(|word| text.contains(word));
        self.files.insert(path.to_owned(), imports);
    }

    /// Forgets a file.
    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// The file itself and all that import it, at whatever distance.
    #[must_use]
    pub fn importers(&self, path: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([path.to_owned()]);
        let mut open = vec![module_of(path)];
        found.extend(
            self.dynamic()
                .inspect(|path| open.push(module_of(path)))
                .map(str::to_owned),
        );
        while let Some(module) = open.pop() {
            for (file, imports) in &self.files {
                if imports.modules.contains(&module) && found.insert(file.clone()) {
                    open.push(module_of(file));
                }
            }
        }
        found
    }

    /// The known files that these import, at whatever distance, and themselves.
    #[must_use]
    pub fn imported<'a>(&'a self, files: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let by_module: BTreeMap<String, &str> = self
            .files
            .keys()
            .map(|path| (module_of(path), path.as_str()))
            .collect();
        let mut open: Vec<&str> = files.into_iter().collect();
        let mut found: BTreeSet<&str> = open.iter().copied().collect();
        while let Some(file) = open.pop() {
            let modules = self
                .files
                .get(file)
                .into_iter()
                .flat_map(|imports| &imports.modules);
            let paths = modules.filter_map(|module| by_module.get(module).copied());
            open.extend(paths.filter(|path| found.insert(path)).collect::<Vec<_>>());
        }
        found
    }

    /// Files that import by names made when they run, which may be any.
    fn dynamic(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().filter(|(_, imports)| imports.anything);
        files.map(|(path, _)| path.as_str())
    }
}

/// The dotted name of a file's module.
pub(super) fn module_of(path: &str) -> String {
    path.trim_end_matches(".py")
        .trim_end_matches("/__init__")
        .replace('/', ".")
}

struct Finder<'p> {
    path: &'p str,
    imports: Imports,
}

impl Finder<'_> {
    fn module(&mut self, dotted: &str) {
        let ends = dotted.match_indices('.').map(|(at, _)| at).chain([dotted.len()]);
        let packages = ends
            .filter_map(|end| dotted.get(..end))
            .filter(|name| !name.is_empty());
        self.imports.modules.extend(packages.map(str::to_owned));
    }

    /// What `from … import` starts from.
    fn base(&self, import: &ast::StmtImportFrom) -> String {
        let module = import.module.as_deref().unwrap_or_default();
        let mut folders: Vec<&str> = self.path.split('/').collect();
        match import.level as usize {
            0 => module.to_owned(),
            level => {
                folders.truncate(folders.len().saturating_sub(level));
                folders.extend(Some(module).filter(|module| !module.is_empty()));
                folders.join(".").replace('/', ".")
            }
        }
    }
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        match statement {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    self.module(&alias.name);
                }
            }
            ast::Stmt::ImportFrom(import) => {
                let base = self.base(import);
                self.module(&base);
                for alias in &import.names {
                    let name = alias.name.as_str();
                    let whole = if base.is_empty() {
                        name.to_owned()
                    } else {
                        format!("{base}.{name}")
                    };
                    self.module(&whole);
                }
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> ImportGraph {
        let mut graph = ImportGraph::default();
        for (path, text) in files {
            graph.put(path, text);
        }
        graph
    }

    fn importers(graph: &ImportGraph, path: &str) -> Vec<String> {
        graph.importers(path).into_iter().collect()
    }

    #[test]
    fn a_helper_touches_what_imports_it_at_any_distance() {
        let graph = graph(&[
            ("rules/a.py", "from matchers import aws\n"),
            ("rules/b.py", "def f(rec):\n    import matchers.aws.deep\n"),
            ("rules/c.py", "from matchers.other import x\n"),
            ("rules/d.py", "from .e import y\n"),
            ("rules/e.py", "from matchers.aws import x as z\n"),
            ("rules/f.py", "print(1)\n"),
            ("matchers/aws.py", "from lib.names import NAMES\n"),
            ("lib/names.py", ""),
        ]);
        assert_eq!(
            importers(&graph, "lib/names.py"),
            [
                "lib/names.py",
                "matchers/aws.py",
                "rules/a.py",
                "rules/b.py",
                "rules/d.py",
                "rules/e.py"
            ]
        );
        let imported: Vec<&str> = graph.imported(["rules/d.py"]).into_iter().collect();
        let expected = ["lib/names.py", "matchers/aws.py", "rules/d.py", "rules/e.py"];
        assert_eq!(imported, expected);
        assert_eq!(importers(&graph, "rules/c.py"), ["rules/c.py"]);
        assert_eq!(importers(&graph, "rules/e.py"), ["rules/d.py", "rules/e.py"]);
    }

    #[test]
    fn a_package_touches_all_within_it_and_a_circle_ends() {
        let graph = graph(&[
            ("rules/__init__.py", "from lib import x\n"),
            ("rules/aws/a.py", ""),
            ("lib.py", "import other\n"),
            ("other.py", "import lib\n"),
        ]);
        assert_eq!(
            importers(&graph, "lib.py"),
            ["lib.py", "other.py", "rules/__init__.py", "rules/aws/a.py"]
        );
    }

    #[test]
    fn a_file_that_does_not_parse_keeps_its_imports_and_one_that_imports_by_name_counts_always() {
        let mut graph = graph(&[
            ("rules/a.py", "import lib\n"),
            ("lib.py", ""),
            ("rules/b.py", "x = __import__('l' + 'ib')\n"),
        ]);
        graph.put("rules/a.py", "import (\n");
        assert_eq!(
            importers(&graph, "lib.py"),
            ["lib.py", "rules/a.py", "rules/b.py"]
        );
        graph.remove("rules/a.py");
        assert_eq!(importers(&graph, "lib.py"), ["lib.py", "rules/b.py"]);
    }
}
