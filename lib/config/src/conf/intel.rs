use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_value::{Map, Value};

use super::keys;
use super::reader::Reader;
use crate::Located;

/// `threat_intel.json`.
#[derive(Debug, Clone)]
pub struct ThreatIntel {
    /// Whether any record is compared.
    pub enabled: bool,
    /// Indicator type to indicators that are never reported, each with its comment.
    pub excluded_iocs: Map,
    /// Indicator type to the normalized types whose values are looked up.
    pub normalized_ioc_types: IndexMap<String, Vec<String>>,
    /// The file.
    pub document: Arc<Located>,
}

pub(super) fn read(reader: &mut Reader) -> Option<ThreatIntel> {
    let document = reader.file("threat_intel.json", &keys::THREAT_INTEL)?;
    let Value::Map(root) = document.value() else {
        return None;
    };
    let enabled = match root.get("enabled") {
        Some(value) => reader.flag(&document, &["enabled"], value).unwrap_or_default(),
        None => false,
    };
    let mut excluded_iocs = Map::new();
    if let Some(value) = root.get("excluded_iocs") {
        let types = reader.map(&document, &["excluded_iocs"], value);
        for (kind, excluded) in types.into_iter().flatten() {
            reader.map(&document, &["excluded_iocs", kind], excluded);
        }
        excluded_iocs = types.cloned().unwrap_or_default();
    }
    let mut normalized_ioc_types = IndexMap::new();
    match root.get("normalized_ioc_types") {
        Some(value) => {
            let types = reader.map(&document, &["normalized_ioc_types"], value);
            for (kind, names) in types.into_iter().flatten() {
                let names = reader.texts(&document, &["normalized_ioc_types", kind], names);
                normalized_ioc_types.insert(kind.clone(), names);
            }
        }
        None if enabled => {
            let fix = "add normalized_ioc_types, such as { \"ip\": [\"ip_address\"] }";
            reader
                .problems
                .push(document.error(&["enabled"], "is on, but nothing would be looked up", fix));
        }
        None => {}
    }
    Some(ThreatIntel {
        enabled,
        excluded_iocs,
        normalized_ioc_types,
        document,
    })
}

pub(super) fn read_normalized_types(reader: &mut Reader) -> Option<Arc<Located>> {
    let document = reader.file("normalized_types.json", &keys::NORMALIZED_TYPES)?;
    let Value::Map(root) = document.value() else {
        return None;
    };
    for (family, types) in root {
        for (name, keys) in reader.map(&document, &[family], types).into_iter().flatten() {
            reader.texts(&document, &[family, name], keys);
        }
    }
    Some(document)
}
