use std::path::Path;

use streamalert_lint::table;

/// With `UPDATE_DOCS` set, it is written instead of compared.
#[test]
fn the_document_has_the_checks_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/LINT.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, table()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written,
        table(),
        "run this test with UPDATE_DOCS=1 and commit docs/LINT.md"
    );
}
