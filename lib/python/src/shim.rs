//! The Python files of ours that workers import, embedded in the executable.

use std::io;
use std::path::Path;

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../shim/", $path)))),+]
    };
}

/// Path and text of every file.
pub(crate) const FILES: &[(&str, &str)] = embedded![
    "_streamalert_worker/__init__.py",
    "_streamalert_worker/__main__.py",
    "_streamalert_worker/evaluate.py",
    "_streamalert_worker/export.py",
    "_streamalert_worker/export_code.py",
    "_streamalert_worker/export_main.py",
    "_streamalert_worker/export_named.py",
    "_streamalert_worker/export_values.py",
    "_streamalert_worker/export_watch.py",
    "_streamalert_worker/fallback.py",
    "_streamalert_worker/guard.py",
    "_streamalert_worker/loader.py",
    "_streamalert_worker/mutation.py",
    "_streamalert_worker/rule_helpers.py",
    "_streamalert_worker/wire.py",
    "streamalert/__init__.py",
    "streamalert/alert_processor/__init__.py",
    "streamalert/alert_processor/helpers.py",
    "streamalert/publishers.py",
    "streamalert/rules_engine/__init__.py",
    "streamalert/rules_engine/threat_intel.py",
    "streamalert/shared/__init__.py",
    "streamalert/shared/alert.py",
    "streamalert/shared/config.py",
    "streamalert/shared/description.py",
    "streamalert/shared/exceptions.py",
    "streamalert/shared/importer.py",
    "streamalert/shared/logger.py",
    "streamalert/shared/lookup_tables/__init__.py",
    "streamalert/shared/lookup_tables/configuration.py",
    "streamalert/shared/lookup_tables/core.py",
    "streamalert/shared/lookup_tables/drivers.py",
    "streamalert/shared/lookup_tables/drivers_factory.py",
    "streamalert/shared/lookup_tables/errors.py",
    "streamalert/shared/lookup_tables/table.py",
    "streamalert/shared/metrics.py",
    "streamalert/shared/normalize.py",
    "streamalert/shared/publisher.py",
    "streamalert/shared/resources.py",
    "streamalert/shared/rule.py",
    "streamalert/shared/stats.py",
    "streamalert/shared/utils.py",
];

/// The file that a worker runs, below the directory given to [`materialise`].
pub(crate) const ENTRY: &str = "_streamalert_worker/__main__.py";

/// Writes the `streamalert` package of ours below `dir`, for a Python that rules are to be imported in.
///
/// # Errors
/// Whatever writing a file fails with.
pub fn materialise(dir: &Path) -> io::Result<()> {
    for (path, text) in FILES {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn collect(dir: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                found.insert(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn every_python_file_of_the_shim_is_embedded() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shim");
        let mut found = BTreeSet::new();
        collect(&root, &root, &mut found);
        let listed: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(listed, found);
    }
}
