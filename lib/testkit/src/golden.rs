use std::path::PathBuf;

/// The directory with recorded behaviour and corpora: `STREAMALERT_SHARED`, or `../shared` beside the
/// repository. `None` when it is not there.
///
/// # Panics
/// When it is not there and `CI` is set: a test that checks nothing must not pass unnoticed.
#[must_use]
pub fn shared_dir() -> Option<PathBuf> {
    let dir = match std::env::var_os("STREAMALERT_SHARED") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
    };
    if dir.join("golden").is_dir() {
        return Some(dir);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no recorded behaviour at {}: set STREAMALERT_SHARED",
        dir.display()
    );
    skipped(&dir.display().to_string());
    None
}

/// A file below `golden/`, such as `merge_edge_cases.jsonl`. `None` when the directory is not there.
///
/// # Panics
/// When the directory is there and the file is not.
#[must_use]
pub fn golden_path(name: &str) -> Option<PathBuf> {
    let path = shared_dir()?.join("golden").join(name);
    assert!(path.exists(), "no golden file {}", path.display());
    Some(path)
}

/// The lines of a golden file; none of them empty.
///
/// # Panics
/// Like [`golden_path`], and when it is not readable text.
#[must_use]
pub fn golden_lines(name: &str) -> Option<Vec<String>> {
    let path = golden_path(name)?;
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    Some(
        text.lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test says so where its reader looks"
)]
fn skipped(missing: &str) {
    eprintln!("skipped: no recorded behaviour at {missing} (set STREAMALERT_SHARED)");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_files_are_found_beside_the_repository() {
        let Some(lines) = golden_lines("merge_edge_cases.jsonl") else {
            return;
        };
        assert!(lines.len() > 3 && lines.iter().all(|line| line.starts_with('{')));
    }
}
