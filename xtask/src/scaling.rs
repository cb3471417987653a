//! `cargo xtask scaling`: the tables of `docs/SCALING.md`, computed from `docs/scaling.toml`.

mod model;
mod tables;

use std::path::Path;

use model::Figures;

const FIGURES: &str = "docs/scaling.toml";
const DOCUMENT: &str = "docs/SCALING.md";

/// Around what is computed; the name of the table is between them.
const BEGIN: (&str, &str) = ("<!-- computed: ", " -->");
const END: &str = "<!-- end -->";

/// The tables as text; with `--write` the document is brought up to date instead.
///
/// # Errors
/// What cannot be read, or which table nobody computes.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<String, String> {
    let (figures, document) = read(root)?;
    match arguments.get(1).map(String::as_str) {
        None => Ok(tables::all(&figures)
            .into_iter()
            .map(|(name, table)| format!("{name}\n\n{table}\n"))
            .collect()),
        Some("--write") => {
            let path = root.join(DOCUMENT);
            std::fs::write(&path, filled(&document, &figures)?)
                .map_err(|error| format!("{DOCUMENT}: {error}"))?;
            Ok(format!("{DOCUMENT} is up to date\n"))
        }
        Some(other) => Err(format!(
            "unknown option {other}; --write brings {DOCUMENT} up to date\n"
        )),
    }
}

fn read(root: &Path) -> Result<(Figures, String), String> {
    let text =
        |file: &str| std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}\n"));
    Ok((Figures::read(&text(FIGURES)?)?, text(DOCUMENT)?))
}

/// The document with its tables as the figures have them.
fn filled(document: &str, figures: &Figures) -> Result<String, String> {
    let tables = tables::all(figures);
    let mut result = String::new();
    let mut rest = document;
    while let Some(at) = rest.find(BEGIN.0) {
        let (before, from) = rest.split_at(at);
        let name = from
            .strip_prefix(BEGIN.0)
            .and_then(|from| from.split_once(BEGIN.1))
            .map(|(name, _)| name);
        let name = name.ok_or_else(|| format!("{DOCUMENT}: a mark without an end\n"))?;
        let table = tables.iter().find(|(known, _)| *known == name);
        let (_, table) = table.ok_or_else(|| format!("{DOCUMENT}: nobody computes {name:?}\n"))?;
        let after = from.split_once(END).map(|(_, after)| after);
        rest = after.ok_or_else(|| format!("{DOCUMENT}: {name:?} has no end\n"))?;
        result += &format!("{before}{}{name}{}\n{table}{END}", BEGIN.0, BEGIN.1);
    }
    Ok(result + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_document_says_what_the_model_computes() {
        let (figures, document) = read(root()).unwrap();
        let current = filled(&document, &figures).unwrap();
        assert!(
            current == document,
            "docs/SCALING.md is not what docs/scaling.toml comes to; run cargo xtask scaling --write"
        );
        for (name, _) in tables::all(&figures) {
            assert!(
                document.contains(&format!("{}{name}{}", BEGIN.0, BEGIN.1)),
                "{name} is in no document"
            );
        }
    }

    #[test]
    fn a_table_that_nobody_computes_is_an_error() {
        let (figures, _) = read(root()).unwrap();
        let error = filled("<!-- computed: dreams --><!-- end -->", &figures).unwrap_err();
        assert!(error.contains("dreams"), "{error}");
        assert!(filled("<!-- computed: cost -->", &figures).is_err());
    }
}
