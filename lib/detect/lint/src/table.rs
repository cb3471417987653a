use std::fmt::Write as _;

use crate::CHECKS;

const HEAD: &str = "\
# What `streamalert rules lint` checks

The table is made from the checks themselves, and a test keeps it so. Errors make the command end with 1.

A comment on the line of a finding, or alone on the line above, silences it:

```python
x = record['port'] == '22'  # streamalert: ignore[wrong-type]
x = record['port'] == '22'  # streamalert: ignore[SA301, SA302]
x = record['port'] == '22'  # noqa: SA301
x = record['port'] == '22'  # noqa
```

`# streamalert: ignore` without brackets and `# noqa` without codes silence everything on their line.

| code | name | is | what | for example | better |
|---|---|---|---|---|---|
";

/// The table of all checks as Markdown: what `docs/LINT.md` holds.
#[must_use]
pub fn table() -> String {
    let mut text = HEAD.to_owned();
    for check in CHECKS {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            check.id,
            check.name,
            check.severity.name(),
            check.what,
            code(check.example),
            code(check.better),
        );
    }
    text
}

/// Python as code; what is prose, as it is.
fn code(text: &str) -> String {
    let is_prose = text.starts_with("use ") || text.starts_with("give ");
    if is_prose {
        text.to_owned()
    } else {
        format!("`{}`", text.replace('|', "\\|"))
    }
}
