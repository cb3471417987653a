//! Finds all fields that an index asks for in one walk over the record, instead of looking for each in turn.

use std::collections::BTreeMap;

use streamalert_value::{Kind, NodeRef};

use crate::cx::Cx;
use crate::marks::Place;
use crate::program::{PathId, Program};

/// The fields, as a tree.
#[derive(Debug, Default)]
pub(super) struct Walk {
    levels: Vec<Level>,
}

/// The fields of one dictionary.
#[derive(Debug)]
struct Level {
    /// Every field with its own level, if fields below it are asked for.
    fields: Vec<Field>,
    /// Indices of fields, one more than they are so that 0 means none, by the low bits of the key's hash.
    slots: Box<[u8]>,
}

#[derive(Debug)]
struct Field {
    path: PathId,
    hash: u32,
    key: Box<str>,
    below: Option<usize>,
}

/// Fields of one dictionary beyond which those that come later are looked for one by one.
const FIELDS_MAX: usize = 200;

impl Walk {
    /// The walk that finds these paths and the containers on the way to them.
    pub(super) fn new(program: &Program, paths: impl IntoIterator<Item = PathId>) -> Self {
        let mut children: BTreeMap<Option<PathId>, Vec<PathId>> = BTreeMap::new();
        for path in paths {
            let mut next = Some(path);
            while let Some(path) = next {
                let parent = program.paths.get(path as usize).and_then(|info| info.parent);
                let siblings = children.entry(parent).or_default();
                if siblings.contains(&path) {
                    break;
                }
                siblings.push(path);
                next = parent;
            }
        }
        let mut walk = Self::default();
        if children.contains_key(&None) {
            walk.level(program, &children, None);
        }
        walk
    }

    fn level(
        &mut self,
        program: &Program,
        children: &BTreeMap<Option<PathId>, Vec<PathId>>,
        parent: Option<PathId>,
    ) -> usize {
        let at = self.levels.len();
        self.levels.push(Level {
            fields: Vec::new(),
            slots: Box::default(),
        });
        let mut fields = Vec::new();
        for path in children.get(&parent).into_iter().flatten().take(FIELDS_MAX) {
            let Some(info) = program.paths.get(*path as usize) else {
                continue;
            };
            let below = children
                .contains_key(&Some(*path))
                .then(|| self.level(program, children, Some(*path)));
            fields.push(Field {
                path: *path,
                hash: info.hash,
                key: info.key.clone(),
                below,
            });
        }
        let size = (fields.len() * 4).next_power_of_two();
        let mut slots = vec![0_u8; size];
        for (number, field) in (1_u8..).zip(&fields) {
            let mut slot = field.hash as usize % size;
            while slots[slot] != 0 {
                slot = (slot + 1) % size;
            }
            slots[slot] = number;
        }
        self.levels[at] = Level {
            fields,
            slots: slots.into(),
        };
        at
    }

    /// Marks the places of all fields in this record.
    pub(super) fn run(&self, cx: &Cx<'_>) {
        if !self.levels.is_empty() {
            self.down(cx, 0, cx.tree.root());
        }
    }

    fn down(&self, cx: &Cx<'_>, level: usize, container: NodeRef<'_>) {
        let level = &self.levels[level];
        for field in &level.fields {
            cx.marks.set_place(field.path, Place::Absent);
        }
        let mask = level.slots.len() - 1;
        for (key, value) in container.members() {
            let hash = key.hash();
            let mut slot = hash as usize & mask;
            loop {
                let number = level.slots[slot];
                if number == 0 {
                    break;
                }
                let field = &level.fields[usize::from(number) - 1];
                if field.hash == hash && key.is_key(&field.key) {
                    cx.marks.set_place(field.path, Place::Node(value.index()));
                    break;
                }
                slot = (slot + 1) & mask;
            }
        }
        for field in &level.fields {
            let Some(below) = field.below else {
                continue;
            };
            match cx.marks.place(field.path) {
                Some(Place::Node(node)) => match cx.node(node).kind() {
                    Kind::Map => self.down(cx, below, cx.node(node)),
                    Kind::Null => self.mark_all(cx, below, Place::UnderNull),
                    _ => self.mark_all(cx, below, Place::Odd),
                },
                Some(Place::Absent) => self.mark_all(cx, below, Place::Absent),
                _ => self.mark_all(cx, below, Place::Odd),
            }
        }
    }

    fn mark_all(&self, cx: &Cx<'_>, level: usize, place: Place) {
        for field in &self.levels[level].fields {
            cx.marks.set_place(field.path, place);
            if let Some(below) = field.below {
                // Only the container itself being None is told apart.
                let further = match place {
                    Place::Absent => Place::Absent,
                    _ => Place::Odd,
                };
                self.mark_all(cx, below, further);
            }
        }
    }
}
