//! Statements that import.

use std::collections::BTreeMap;

use ruff_python_ast as ast;

use super::expr::{Unknown, unknown};
use super::module::Module;
use crate::export::{Object, ObjectId};

impl Module<'_, '_> {
    pub(super) fn exists(&self, module: &str) -> bool {
        crate::modules::is_known(module) || self.loader.path_of(module).is_some()
    }

    pub(super) fn import(&mut self, alias: &ast::Alias) {
        let full = alias.name.as_str();
        let module = self.module(full);
        match (&alias.asname, full.split_once('.')) {
            (Some(name), _) => self.bind(name, module),
            (None, None) => self.bind(full, module),
            (None, Some((first, rest))) => {
                let outer = match self.lookup(first) {
                    Some(known) if matches!(self.loader.heap.get(known), Object::Module { .. }) => known,
                    _ => self.module(first),
                };
                self.bind(first, outer);
                self.add_submodule(outer, first, rest, module);
            }
        }
    }

    fn add_submodule(&mut self, outer: ObjectId, prefix: &str, rest: &str, module: ObjectId) {
        let mut at = outer;
        let mut path = prefix.to_owned();
        let mut parts = rest.split('.').peekable();
        while let Some(part) = parts.next() {
            path = format!("{path}.{part}");
            let inner = if parts.peek().is_none() {
                module
            } else {
                self.module(&path)
            };
            // Ours are found by name.
            if self.loader.is_package(prefix)
                && let Some(Object::Module { attrs, .. }) = self.loader.heap.objects.get_mut(at as usize)
            {
                attrs.insert(part.to_owned(), inner);
            }
            at = inner;
        }
    }

    /// The module of a dotted name: the user's, or by name.
    fn module(&mut self, dotted: &str) -> ObjectId {
        if let Some(path) = self.loader.path_of(dotted) {
            return match self.loader.file(&path) {
                Some(id) => id,
                None => self
                    .loader
                    .heap
                    .unsupported(format!("the module {dotted}, which did not load")),
            };
        }
        self.loader.heap.push(Object::Module {
            name: dotted.to_owned(),
            attrs: BTreeMap::new(),
        })
    }

    pub(super) fn import_from(&mut self, inner: &ast::StmtImportFrom) -> Result<(), Unknown> {
        let module = inner.module.as_deref().unwrap_or_default();
        if module == "__future__" {
            return Ok(());
        }
        let base = match inner.level {
            0 => module.to_owned(),
            level => {
                let mut folders: Vec<&str> = self.path.split('/').collect();
                let kept = folders
                    .len()
                    .checked_sub(level as usize)
                    .ok_or_else(|| unknown(inner, "such an import"))?;
                folders.truncate(kept);
                folders.extend(Some(module).filter(|module| !module.is_empty()));
                folders.join(".")
            }
        };
        let users = self.loader.path_of(&base).is_some();
        let from = if users { Some(self.module(&base)) } else { None };
        for alias in &inner.names {
            let name = alias.name.as_str();
            let bound = alias.asname.as_deref().unwrap_or(name);
            let attrs = match from.map(|from| self.loader.heap.get(from)) {
                Some(Object::Module { attrs, .. }) => Some(attrs),
                _ => None,
            };
            if name == "*" {
                let Some(attrs) = attrs else {
                    return Err(unknown(alias, "import * of such a module"));
                };
                for (name, id) in attrs.clone() {
                    if !name.starts_with('_') {
                        self.bind(&name, id);
                    }
                }
                continue;
            }
            let found = attrs.and_then(|attrs| attrs.get(name).copied());
            let full = format!("{base}.{name}");
            let id = match found {
                Some(id) => id,
                None if self.loader.path_of(&full).is_some() => self.module(&full),
                None if users => {
                    return Err(unknown(
                        alias,
                        &format!("the import of {name}, which {base} lacks"),
                    ));
                }
                None => self.loader.heap.named(&base, name),
            };
            self.bind(bound, id);
        }
        Ok(())
    }
}
