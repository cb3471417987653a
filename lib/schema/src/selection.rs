use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamalert_value::{Kind, NodeRef};

use crate::plan::Plan;
use crate::schema::{Extraction, Schema};
use crate::shape::{Order, Plans};

/// Tells selections apart in memories that outlive them.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The schemas that one source reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Selection {
    pub(crate) schemas: Arc<Schemas>,
}

impl Selection {
    pub(crate) fn new(schemas: Vec<Arc<Schema>>) -> Self {
        Self {
            schemas: Arc::new(Schemas::new(schemas)),
        }
    }

    /// The log types in the order in which they are tried.
    pub fn log_types(&self) -> impl Iterator<Item = &Arc<str>> {
        self.schemas.list.iter().map(|schema| &schema.log_type)
    }
}

/// The schemas of a selection, in order, and what is known of them before any payload comes.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) id: u64,
    pub(crate) list: Vec<Arc<Schema>>,
    /// For each schema the first schema that gets records out of a unit in the same way.
    pub(crate) extractions: Vec<usize>,
    /// Those that come into question when the unit is text, or a JSON text.
    texts: Order,
    /// … when it is a JSON list.
    lists: Order,
    /// … when it is any other JSON value.
    others: Order,
}

impl Schemas {
    fn new(list: Vec<Arc<Schema>>) -> Self {
        let extractions = (0..list.len())
            .map(|at| {
                (0..at)
                    .find(|earlier| list[*earlier].extraction.is_same(&list[at].extraction))
                    .unwrap_or(at)
            })
            .collect();
        let indices = |wanted: &dyn Fn(&Schema) -> bool| -> Order {
            let usable = |schema: &Schema| !schema.broken && schema.envelope.is_none() && wanted(schema);
            list.iter()
                .enumerate()
                .filter(|(_, schema)| usable(schema))
                .map(|(at, _)| at as u32)
                .collect()
        };
        let swallows =
            |schema: &Schema| matches!(schema.extraction, Extraction::Whole) && schema.takes_anything();
        let texts = indices(&|schema| match &schema.extraction {
            Extraction::Csv { path, .. } => path.is_none(),
            Extraction::Kv(_) | Extraction::Syslog => true,
            Extraction::Path { path, .. } => path.takes_texts(),
            _ => swallows(schema),
        });
        let lists = indices(&|schema| match &schema.extraction {
            Extraction::Csv { path: Some(path), .. } | Extraction::Path { path, .. } => path.takes_lists(),
            _ => swallows(schema),
        });
        let others = indices(&swallows);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            list,
            extractions,
            texts,
            lists,
            others,
        }
    }

    /// The schemas that come into question for a root that is no object.
    pub(crate) fn order_of(&self, root: Option<Kind>) -> Order {
        Arc::clone(match root {
            None | Some(Kind::Text) => &self.texts,
            Some(Kind::List) => &self.lists,
            Some(_) => &self.others,
        })
    }

    /// The schemas that take an object as a record, with what they do with it.
    pub(crate) fn plans(&self, object: NodeRef<'_>) -> Plans {
        let keys: Vec<NodeRef<'_>> = object.members().map(|(key, _)| key).collect();
        let usable = self.list.iter().enumerate().filter(|(_, schema)| !schema.broken);
        usable
            .filter_map(|(at, schema)| Some((at as u32, Plan::new(schema, &keys)?)))
            .collect()
    }

    /// The schemas that come into question for an object as the root of a unit.
    pub(crate) fn root_order(&self, root: NodeRef<'_>, plans: &Plans) -> Order {
        let has = |key: &str, hash: u32| root.get_hashed(hash, key).is_some();
        let in_question = |at: usize, schema: &Schema| {
            if schema.broken
                || schema
                    .envelope
                    .as_ref()
                    .is_some_and(|one| one.missing(root).next().is_some())
            {
                return false;
            }
            match &schema.extraction {
                Extraction::Whole => plans.iter().any(|(planned, _)| *planned as usize == at),
                Extraction::Path { path, .. } | Extraction::Csv { path: Some(path), .. } => {
                    path.first_key().is_none_or(|(key, hash)| has(key, hash))
                }
                Extraction::RegexKey(key) => root.get(key).is_some(),
                Extraction::Csv { path: None, .. } | Extraction::Kv(_) | Extraction::Syslog => false,
            }
        };
        let schemas = self.list.iter().enumerate();
        schemas
            .filter(|(at, schema)| in_question(*at, schema))
            .map(|(at, _)| at as u32)
            .collect()
    }
}
