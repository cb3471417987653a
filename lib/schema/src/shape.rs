//! Shapes: sequences of keys that were met before, with what each schema makes of them. Logs of one kind come in a
//! handful of shapes, so that finding the schemas for a record is one hash of its keys and one look-up, whatever
//! the number of schemas.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use streamalert_value::NodeRef;

use crate::plan::Plan;
use crate::selection::Schemas;

/// Shapes that are remembered; beyond, all are forgotten. Bounds memory against logs that invent keys.
const SHAPES_MAX: usize = 1024;

/// Keys and bytes of keys up to which a shape is remembered at all.
const KEYS_MAX: usize = 512;
const KEY_BYTES_MAX: usize = 8 << 10;

/// The schemas that take records of one shape, in order, each with its plan.
pub(crate) type Plans = Arc<[(u32, Plan)]>;

/// Indices of schemas, in order.
pub(crate) type Order = Arc<[u32]>;

#[derive(Debug)]
struct Shape {
    selection: u64,
    keys: String,
    /// Where each key ends within `keys`.
    ends: Vec<u32>,
    plans: Option<Plans>,
    root: Option<Order>,
}

/// Index of a remembered shape; valid until [`Shapes::make_room`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeId(u32);

/// All shapes that were met, of all selections.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    by_hash: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
}

/// The keys of the map are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl Shapes {
    /// Forgets everything when there is no room for more. To be called between units only.
    pub(crate) fn make_room(&mut self) {
        if self.shapes.len() >= SHAPES_MAX {
            self.shapes.clear();
            self.by_hash.clear();
        }
    }

    /// The shape of an object; `None` when it is not to be remembered.
    pub(crate) fn of(&mut self, schemas: &Schemas, object: NodeRef<'_>) -> Option<ShapeId> {
        let mut hash = schemas.id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (key, _) in object.members() {
            hash = (hash ^ u64::from(key.hash())).wrapping_mul(0xd6e8_feb8_6659_fd93);
            hash ^= hash >> 32;
        }
        if let Some(&at) = self.by_hash.get(&hash) {
            return self.shapes[at as usize]
                .is_of(schemas.id, object)
                .then_some(ShapeId(at));
        }
        self.remember(schemas, object, hash)
    }

    #[cold]
    fn remember(&mut self, schemas: &Schemas, object: NodeRef<'_>, hash: u64) -> Option<ShapeId> {
        if self.shapes.len() >= SHAPES_MAX || object.members().count() > KEYS_MAX {
            return None;
        }
        let mut keys = String::new();
        let mut ends = Vec::new();
        for (key, _) in object.members() {
            let name = key.as_str()?;
            if keys.len() + name.len() > KEY_BYTES_MAX || name.contains('\u{fffd}') {
                return None;
            }
            keys.push_str(&name);
            ends.push(keys.len() as u32);
        }
        let at = self.shapes.len() as u32;
        self.shapes.push(Shape {
            selection: schemas.id,
            keys,
            ends,
            plans: None,
            root: None,
        });
        self.by_hash.insert(hash, at);
        Some(ShapeId(at))
    }

    /// The schemas that take the object as a record.
    pub(crate) fn plans(&mut self, id: Option<ShapeId>, schemas: &Schemas, object: NodeRef<'_>) -> Plans {
        let remembered = id.and_then(|id| self.shapes[id.0 as usize].plans.clone());
        remembered.unwrap_or_else(|| {
            let plans = schemas.plans(object);
            if let Some(id) = id {
                self.shapes[id.0 as usize].plans = Some(Arc::clone(&plans));
            }
            plans
        })
    }

    /// The schemas that come into question for the object as the root of a unit.
    pub(crate) fn root_order(
        &mut self,
        id: Option<ShapeId>,
        schemas: &Schemas,
        object: NodeRef<'_>,
    ) -> Order {
        let remembered = id.and_then(|id| self.shapes[id.0 as usize].root.clone());
        remembered.unwrap_or_else(|| {
            let plans = self.plans(id, schemas, object);
            let order = schemas.root_order(object, &plans);
            if let Some(id) = id {
                self.shapes[id.0 as usize].root = Some(Arc::clone(&order));
            }
            order
        })
    }
}

impl Shape {
    fn is_of(&self, selection: u64, object: NodeRef<'_>) -> bool {
        let mut start = 0;
        let mut ends = self.ends.iter();
        for (key, _) in object.members() {
            let Some(end) = ends.next() else { return false };
            let end = *end as usize;
            if !key.is_key(&self.keys[start..end]) {
                return false;
            }
            start = end;
        }
        ends.next().is_none() && self.selection == selection
    }
}
