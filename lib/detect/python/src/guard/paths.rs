//! Field paths that no expression is written as, such as `event['name']` where `event` is `rec['detail']`.

use std::collections::HashMap;

use crate::program::{Path, PathId};

/// New paths beyond which further ones are not followed.
const NEW_MAX: usize = 1 << 16;

/// The paths of a program and those that become part of it for the index.
#[derive(Debug)]
pub struct Paths {
    known: HashMap<(Option<PathId>, Box<str>), PathId>,
    keys: Vec<(Option<PathId>, Box<str>)>,
    first: usize,
}

impl Paths {
    /// Those of a program.
    #[must_use]
    pub fn new(paths: &[Path]) -> Self {
        let keys: Vec<_> = paths.iter().map(|path| (path.parent, path.key.clone())).collect();
        Self {
            known: keys.iter().cloned().zip(0..).collect(),
            first: keys.len(),
            keys,
        }
    }

    /// Those to be added to the program, in order.
    pub fn added(self) -> impl Iterator<Item = Path> {
        self.keys
            .into_iter()
            .skip(self.first)
            .map(|(parent, key)| Path::new(parent, &key))
    }

    /// A key below a path; `None` when there are too many.
    pub(super) fn child(&mut self, parent: Option<PathId>, key: &str) -> Option<PathId> {
        let key = (parent, Box::from(key));
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        if self.keys.len() - self.first >= NEW_MAX {
            return None;
        }
        let id = self.keys.len() as PathId;
        self.keys.push(key.clone());
        self.known.insert(key, id);
        Some(id)
    }

    /// Whether a path is one key long.
    pub(super) fn is_top(&self, path: PathId) -> bool {
        self.keys
            .get(path as usize)
            .is_some_and(|(parent, _)| parent.is_none())
    }

    /// All keys of `path`, below `base`.
    pub(super) fn below(&mut self, base: PathId, path: PathId) -> Option<PathId> {
        let mut keys = Vec::new();
        let mut at = Some(path);
        while let Some(id) = at {
            let (parent, key) = self.keys.get(id as usize)?.clone();
            keys.push(key);
            at = parent;
        }
        let mut base = base;
        for key in keys.iter().rev() {
            base = self.child(Some(base), key)?;
        }
        Some(base)
    }
}
