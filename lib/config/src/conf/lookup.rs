use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_value::{Map, Value};

use super::keys;
use super::reader::Reader;
use crate::Located;
use crate::suggest::did_you_mean;

const DRIVERS: [&str; 3] = ["dynamodb", "local", "s3"];

/// `lookup_tables.json`.
#[derive(Debug, Clone, Default)]
pub struct LookupTables {
    /// Whether rules see any table.
    pub enabled: bool,
    /// Tables by name, in file order.
    pub tables: IndexMap<String, LookupTable>,
    /// The file; `None` when absent.
    pub document: Option<Arc<Located>>,
}

/// One lookup table.
#[derive(Debug, Clone)]
pub struct LookupTable {
    /// `s3` or `dynamodb`.
    pub driver: String,
    /// All its keys, `driver` included.
    pub options: Map,
}

pub(super) fn read(reader: &mut Reader) -> LookupTables {
    let mut lookup = LookupTables::default();
    let Some(document) = reader.file("lookup_tables.json", &keys::LOOKUP_TABLES) else {
        return lookup;
    };
    let Value::Map(root) = document.value() else {
        return lookup;
    };
    if let Some(value) = root.get("enabled") {
        lookup.enabled = reader.flag(&document, &["enabled"], value).unwrap_or_default();
    }
    let tables = root
        .get("tables")
        .and_then(|tables| reader.map(&document, &["tables"], tables));
    for (name, value) in tables.into_iter().flatten() {
        let Some(options) = reader.map(&document, &["tables", name], value) else {
            continue;
        };
        let path = ["tables", name.as_str(), "driver"];
        let Some(driver) = options.get("driver") else {
            let fix = "write \"driver\": \"s3\" or \"dynamodb\"";
            reader
                .problems
                .push(document.error(&path[..2], "has no driver", fix));
            continue;
        };
        let Some(driver) = reader.text(&document, &path, driver) else {
            continue;
        };
        if !DRIVERS.contains(&driver) {
            let fix = did_you_mean(driver, DRIVERS);
            reader
                .problems
                .push(document.error(&path, format!("unknown driver {driver:?}"), fix));
        }
        let table = LookupTable {
            driver: driver.to_owned(),
            options: options.clone(),
        };
        lookup.tables.insert(name.clone(), table);
    }
    lookup.document = Some(document);
    lookup
}
