use std::path::Path;

use super::Finding;

/// Beyond this a file hides more than one thing.
const LINES_AIMED: usize = 400;
const LINES_MAX: usize = 600;

/// Names that say nothing of what is inside and so attract everything.
pub(super) const GRAB_BAGS: [&str; 6] = ["common", "util", "utils", "helpers", "misc", "shared"];

/// Files of the repository, relative to `root`, in order. Hidden and built ones are left out.
pub(super) fn list(root: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root.join(&folder)).map_err(|error| format!("{folder}: {error}"))?;
        for entry in entries {
            let entry = entry.map_err(|error| format!("{folder}: {error}"))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Length of a Rust file.
pub(super) fn check_length(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let message =
            format!("{lines} lines, {LINES_MAX} at most; split it by noun, or move its tests to a file");
        findings.push(Finding::error(file, LINES_MAX + 1, message));
    } else if lines > LINES_AIMED {
        findings.push(Finding::note(
            file,
            LINES_AIMED + 1,
            format!("{lines} lines, {LINES_AIMED} are aimed at"),
        ));
    }
}

/// Modules without a noun of their own.
pub(super) fn check_name(file: &str, findings: &mut Vec<Finding>) {
    if !file.ends_with(".rs") {
        return;
    }
    let stem = file.trim_end_matches("/mod.rs").trim_end_matches(".rs");
    let name = stem.rsplit('/').next().unwrap_or_default();
    if GRAB_BAGS.contains(&name) {
        findings.push(Finding::error(
            file,
            1,
            format!("a module called {name:?}; name it after what it holds"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(lines: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        check_length("a.rs", &"\n".repeat(lines), &mut findings);
        findings
    }

    #[test]
    fn four_hundred_lines_pass_more_are_noted_and_over_six_hundred_fail() {
        assert_eq!(length(400), []);
        assert!(!length(401)[0].is_error());
        assert!(!length(600)[0].is_error());
        assert!(length(601)[0].is_error());
        assert!(length(601)[0].to_string().starts_with("a.rs:601: 601 lines"));
    }

    #[test]
    fn grab_bag_modules_are_refused() {
        let found = |file| {
            let mut findings = Vec::new();
            check_name(file, &mut findings);
            findings.len()
        };
        assert_eq!(found("lib/a/src/utils.rs"), 1);
        assert_eq!(found("lib/a/tests/common/mod.rs"), 1);
        assert_eq!(found("lib/a/src/utility_bills.rs"), 0);
        assert_eq!(found("lib/python/streamalert/shared/utils.py"), 0);
    }

    #[test]
    fn hidden_and_built_files_are_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", ".git/c.rs", "README.md"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap(), ["README.md", "src/a.rs"]);
    }
}
