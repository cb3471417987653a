use std::collections::BTreeSet;
use std::path::Path;

use streamalert_config::{Located, Problem};
use streamalert_value::{Map, Value};

/// Stand-ins for lookup tables and indicators of compromise.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestFixtures {
    /// Tables by name; each a dictionary.
    pub(crate) lookup_tables: Map,
    /// Values that count as indicators.
    pub(crate) iocs: BTreeSet<String>,
}

impl TestFixtures {
    /// Reads `test_fixtures` of the event at `path`.
    pub(crate) fn read(document: &Located, path: &[&str], fixtures: &Value) -> Result<Self, Vec<Problem>> {
        let wrong =
            |keys: &[&str], message: &str, fix: &str| document.error(&[path, keys].concat(), message, fix);
        let mut problems = Vec::new();
        let mut read = Self::default();
        let Value::Map(map) = fixtures else {
            return Err(vec![wrong(
                &[],
                "expected an object",
                "write lookup_tables and threat_intel below it",
            )]);
        };
        for (key, value) in map {
            match key.as_str() {
                "lookup_tables" if is_map_of_maps(value) => {
                    read.lookup_tables = value.as_map().cloned().unwrap_or_default()
                }
                "lookup_tables" => {
                    problems.push(wrong(
                        &[key],
                        "expected an object of tables",
                        "write {\"table\": {\"key\": \"value\"}}",
                    ));
                }
                "threat_intel" => match iocs(value) {
                    Some(iocs) => read.iocs = iocs,
                    None => {
                        let fix = "write [{\"ioc_value\": \"1.1.1.2\", \"ioc_type\": \"ip\"}]";
                        problems.push(wrong(&[key], "expected a list of objects with ioc_value", fix));
                    }
                },
                _ => problems.push(wrong(
                    &[key],
                    "no such fixture",
                    "there are lookup_tables and threat_intel",
                )),
            }
        }
        if problems.is_empty() {
            Ok(read)
        } else {
            Err(problems)
        }
    }

    /// Fixtures of files above a test event file, as StreamAlert had them before events had their own:
    /// `test_fixtures/lookup_tables/TABLE.json` and `test_fixtures/threat_intel/*.json` beside or above it, and the
    /// same below `tests/integration/fixtures`. What stands nearer counts.
    pub(crate) fn of_folders(file: &Path) -> Result<Self, Problem> {
        let mut read = Self::default();
        let folders: Vec<&Path> = file.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev() {
            read.add_folder(&folder.join("test_fixtures"))?;
            if folder.ends_with("integration") {
                read.add_folder(&folder.join("fixtures"))?;
            }
        }
        Ok(read)
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Problem> {
        for file in super::files::json_files(&folder.join("lookup_tables")) {
            let document = super::files::read_document(&file)?;
            let Value::Map(_) = document.value() else {
                return Err(document.error(&[], "expected an object", "write {\"key\": \"value\"}"));
            };
            let table = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            self.lookup_tables.insert(table, document.value().clone());
        }
        for file in super::files::json_files(&folder.join("threat_intel")) {
            let document = super::files::read_document(&file)?;
            let Some(iocs) = iocs(document.value()) else {
                let fix = "write [{\"ioc_value\": \"1.1.1.2\", \"ioc_type\": \"ip\"}]";
                return Err(document.error(&[], "expected a list of objects with ioc_value", fix));
            };
            self.iocs.extend(iocs);
        }
        Ok(())
    }

    /// These, and the ones of an event, which count where both have a table.
    pub(crate) fn with(&self, own: &Self) -> Self {
        let mut both = self.clone();
        both.lookup_tables.extend(own.lookup_tables.clone());
        both.iocs.extend(own.iocs.iter().cloned());
        both
    }
}

fn is_map_of_maps(value: &Value) -> bool {
    value
        .as_map()
        .is_some_and(|tables| tables.values().all(|table| table.as_map().is_some()))
}

fn iocs(value: &Value) -> Option<BTreeSet<String>> {
    match value {
        // How StreamAlert writes "none".
        Value::Map(map) if map.is_empty() => Some(BTreeSet::new()),
        Value::List(items) => items
            .iter()
            .map(|item| item.get("ioc_value").and_then(Value::as_str).map(str::to_owned))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fixtures: &str) -> Result<TestFixtures, Vec<Problem>> {
        let document = Located::parse("f.json", &format!("{{\n\"test_fixtures\":\n{fixtures}}}")).unwrap();
        let value = document.value().get("test_fixtures").unwrap().clone();
        TestFixtures::read(&document, &["test_fixtures"], &value)
    }

    #[test]
    fn tables_and_indicators_are_read() {
        let fixtures = read(
            r#"{"lookup_tables": {"t": {"k": ["v"]}},
                "threat_intel": [{"ioc_value": "1.1.1.2", "ioc_type": "ip", "sub_type": "mal_ip"}]}"#,
        )
        .unwrap();
        assert_eq!(fixtures.lookup_tables["t"].to_json(), r#"{"k":["v"]}"#);
        assert_eq!(fixtures.iocs, ["1.1.1.2".to_owned()].into());
        assert!(read(r#"{"threat_intel": {}}"#).unwrap().iocs.is_empty());
    }

    #[test]
    fn what_is_no_fixture_is_named_with_its_line() {
        let problems =
            read("{\"lookup_tables\": {\"t\": 1},\n \"threat_intel\": [1],\n \"tables\": {}}").unwrap_err();
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [3, 4, 5], "{problems:?}");
    }

    #[test]
    fn files_in_folders_above_count_and_the_nearer_wins() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("rules/test_fixtures/lookup_tables/t.json", r#"{"far": 1}"#);
        write("rules/test_fixtures/lookup_tables/u.json", r#"{"far": 1}"#);
        write("rules/aws/test_fixtures/lookup_tables/t.json", r#"{"near": 1}"#);
        write(
            "rules/aws/test_fixtures/threat_intel/any.json",
            r#"[{"ioc_value": "evil.com"}]"#,
        );
        let read = TestFixtures::of_folders(&dir.path().join("rules/aws/x.json")).unwrap();
        assert_eq!(
            Value::Map(read.lookup_tables).to_json(),
            r#"{"t":{"near":1},"u":{"far":1}}"#
        );
        assert_eq!(read.iocs, ["evil.com".to_owned()].into());
    }
}
