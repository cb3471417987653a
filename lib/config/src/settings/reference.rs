use std::fmt::Write as _;

use super::layers::ENV_PREFIX;
use super::section::{Key, Kind};
use super::shape::{Form, SECTIONS};

const INTRODUCTION: &str = "\
# Settings

Written from the code by `Settings::reference`; a test keeps it current.

Everything has a default, so no file is needed. What differs goes into `streamalert.toml`; every key can also be
set by the environment as `STREAMALERT_<SECTION>__<KEY>` (two underscores between the parts, upper case) and by
the flag `--set section.key=value`. A flag beats the environment, the environment beats the file, the file beats
the default. Unknown keys are errors. Relative paths are relative to the working directory. Names with a colon or
dot are quoted: `[outputs.\"slack:security\"]`, `--set 'outputs.\"slack:security\".url=https://…'`; in the environment
every other character than a letter or digit becomes `_`: `STREAMALERT_OUTPUTS__SLACK_SECURITY__URL`, for outputs that
the file names. Lists are `a,b` in the environment and in flags.
";

pub(super) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for info in &SECTIONS {
        let heading = match info.form {
            Form::One => format!("[{}]", info.name),
            Form::Named => format!("[{}.\"NAME\"]", info.name),
            Form::List => format!("[[{}]]", info.name),
        };
        let defaults = (info.defaults)();
        let _ = write!(text, "\n## `{heading}`\n\n{}\n\n", joined(info.about));
        text.push_str("| key | takes | default | meaning |\n|---|---|---|---|\n");
        for key in info.keys.iter().filter(|key| key.kind != Kind::Nested) {
            let default = defaults
                .get(key.name())
                .map_or_else(|| "unset".to_owned(), |v| format!("`{v}`"));
            let takes = takes(key);
            let _ = writeln!(
                text,
                "| `{}` | {takes} | {default} | {} |",
                key.name(),
                joined(key.docs)
            );
        }
        if info.form == Form::One
            && let Some(key) = info.keys.first()
        {
            let variable = format!("{ENV_PREFIX}{}__{}", info.name, key.name()).to_uppercase();
            let _ = write!(text, "\nFor example `{variable}`.\n");
        }
    }
    text
}

fn takes(key: &Key) -> String {
    match (key.kind, key.range) {
        (Kind::Choice(words), _) => words
            .iter()
            .map(|w| format!("`\"{w}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        (Kind::Address, _) => "address".to_owned(),
        (kind, Some((min, max))) => format!("{}, {min} to {max}", kind.expected()),
        (kind, None) => kind.expected(),
    }
}

/// Doc lines as one paragraph of a table cell.
fn joined(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
