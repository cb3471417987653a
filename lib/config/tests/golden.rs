//! The configuration directories that the old system ran with are read without a complaint.

#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::PathBuf;

use streamalert_config::{Conf, Known, Settings, validate};

/// The folder with recorded data, if this machine has it.
fn golden() -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let golden = shared.join("golden");
    if golden.is_dir() {
        return Some(golden);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing",
        golden.display()
    );
    println!("skipped: no {}", golden.display());
    None
}

#[test]
fn configurations_of_the_old_system_load_and_validate_without_error() {
    let Some(golden) = golden() else { return };
    for (name, schemas, sources) in [("conf", 65, 22), ("conf-real", 68, 19)] {
        let conf = Conf::load(&golden.join(name)).unwrap();
        assert!(
            conf.schemas.len() >= schemas,
            "{name}: {} schemas",
            conf.schemas.len()
        );
        assert_eq!(conf.data_sources().count(), sources, "{name}");
        let locations = conf.python_locations(&Settings::default().conf);
        assert_eq!(locations.rules, [golden.join("rules")]);
        assert!(
            conf.outputs
                .names()
                .any(|output| output.as_str() == "slack:sample-channel")
        );
        let log_types: Vec<String> = conf.schemas.keys().cloned().collect();
        let report = validate(
            &conf,
            &Settings::default(),
            &Known {
                log_types: &log_types,
                rules: &[],
                publishers: &[],
            },
        );
        // These configurations come without the folders of Python files beside them.
        let (folders, others): (Vec<_>, Vec<_>) = report
            .problems
            .iter()
            .partition(|problem| problem.key.ends_with("_locations"));
        assert_eq!(folders.len(), 3, "{name}");
        assert!(others.is_empty(), "{name}: {others:#?}");
        // Terraform, alarms and Lambda sizes: named once per file.
        let ignored: Vec<String> = report.ignored.iter().map(ToString::to_string).collect();
        assert_eq!(ignored.len(), 6, "{ignored:#?}");
    }
}

#[test]
fn schemas_come_in_the_order_of_file_names_and_of_keys() {
    let Some(golden) = golden() else { return };
    let conf = Conf::load(&golden.join("conf")).unwrap();
    let families: Vec<&str> = conf
        .schemas
        .keys()
        .map(|log_type| log_type.split(':').next().unwrap())
        .collect();
    assert!(families.is_sorted(), "{families:?}");
    assert_eq!(families.first(), Some(&"aliyun"));
}
