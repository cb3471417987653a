use std::path::PathBuf;
use std::sync::Arc;

use streamalert_value::Value;

use super::keys;
use super::reader::Reader;
use crate::Located;

/// `global.json`.
#[derive(Debug, Clone)]
pub struct Global {
    /// `general.rule_locations`, relative to the directory that holds `conf`.
    pub rule_locations: Vec<PathBuf>,
    /// `general.matcher_locations`.
    pub matcher_locations: Vec<PathBuf>,
    /// `general.publisher_locations`.
    pub publisher_locations: Vec<PathBuf>,
    /// `general.scheduled_query_locations`.
    pub scheduled_query_locations: Vec<PathBuf>,
    /// `general.third_party_libraries`: what rules import, as pip requirements.
    pub third_party_libraries: Vec<String>,
    /// The file; `None` when absent.
    pub document: Option<Arc<Located>>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            rule_locations: vec!["rules".into()],
            matcher_locations: vec!["matchers".into()],
            publisher_locations: vec!["publishers".into()],
            scheduled_query_locations: vec!["scheduled_queries".into()],
            third_party_libraries: Vec::new(),
            document: None,
        }
    }
}

impl Global {
    /// The section `name` (`account`, `infrastructure` …), if the file has it.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Value> {
        match self.document.as_ref()?.value() {
            Value::Map(root) => root.get(name),
            _ => None,
        }
    }
}

pub(super) fn read(reader: &mut Reader) -> Global {
    let mut global = Global::default();
    let Some(document) = reader.file("global.json", &keys::GLOBAL) else {
        return global;
    };
    let Value::Map(root) = document.value() else {
        return global;
    };
    let general = root
        .get("general")
        .and_then(|general| reader.map(&document, &["general"], general));
    if let Some(general) = general {
        let locations = [
            ("rule_locations", &mut global.rule_locations),
            ("matcher_locations", &mut global.matcher_locations),
            ("publisher_locations", &mut global.publisher_locations),
            ("scheduled_query_locations", &mut global.scheduled_query_locations),
        ];
        for (key, paths) in locations {
            if let Some(value) = general.get(key) {
                let texts = reader.texts(&document, &["general", key], value);
                *paths = texts.into_iter().map(PathBuf::from).collect();
            }
        }
        if let Some(value) = general.get("third_party_libraries") {
            let path = ["general", "third_party_libraries"];
            global.third_party_libraries = reader.texts(&document, &path, value);
        }
    }
    for section in ["account", "infrastructure"] {
        if let Some(value) = root.get(section) {
            reader.map(&document, &[section], value);
        }
    }
    global.document = Some(document);
    global
}
