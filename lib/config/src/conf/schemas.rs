use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_value::Value;

use super::keys;
use super::reader::Reader;
use crate::Located;

/// The schema of one log type, as it stands in a file.
#[derive(Debug, Clone)]
pub struct SchemaEntry {
    /// `{schema, parser, configuration}`; what is inside is for the schema library to judge.
    pub definition: Value,
    /// The file it stands in, under the log type's name.
    pub document: Arc<Located>,
}

/// `logs.json` where there is one, as StreamAlert does, `schemas/*.json` in name order otherwise.
pub(super) fn read(reader: &mut Reader) -> IndexMap<String, SchemaEntry> {
    let mut schemas: IndexMap<String, SchemaEntry> = IndexMap::new();
    let folder = reader.folder("schemas").unwrap_or_default();
    let files = if reader.has("logs.json") {
        if !folder.is_empty() {
            let place = reader.shown("logs.json");
            let message = "schemas come from here, and the files in schemas are not read";
            reader
                .problems
                .push(place.warning("", message, "move its log types to schemas and remove it"));
        }
        vec!["logs.json".to_owned()]
    } else {
        folder
    };
    for file in files {
        let Some(document) = reader.file(&file, &keys::SCHEMAS) else {
            continue;
        };
        let Value::Map(entries) = document.value() else {
            continue;
        };
        for (log_type, definition) in entries {
            if reader.map(&document, &[log_type], definition).is_none() {
                continue;
            }
            if let Some(earlier) = schemas.get(log_type) {
                let place = earlier.document.place_of(&[log_type]);
                let message = format!(
                    "also defined in {}:{}, and only this one counts",
                    place.file, place.line
                );
                reader
                    .problems
                    .push(document.warning(&[log_type], message, "remove one of the two"));
            }
            let entry = SchemaEntry {
                definition: definition.clone(),
                document: Arc::clone(&document),
            };
            schemas.insert(log_type.clone(), entry);
        }
    }
    schemas
}
