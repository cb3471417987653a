use std::path::Path;

use super::Finding;

/// Links of a Markdown file to other files lead somewhere.
pub(super) fn check(root: &Path, file: &str, text: &str, findings: &mut Vec<Finding>) {
    let folder = root
        .join(file)
        .parent()
        .map_or_else(|| root.to_owned(), Path::to_owned);
    for (target, line) in targets(text) {
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
        let path = target.split(['#', '?']).next().unwrap_or_default();
        if is_elsewhere || path.is_empty() {
            continue;
        }
        if path.starts_with('/') {
            let message = format!("link to {path:?} begins at the root of a machine; make it relative");
            findings.push(Finding::error(file, line, message));
        } else if !folder.join(path.replace("%20", " ")).exists() {
            findings.push(Finding::error(
                file,
                line,
                format!("link to {path:?}, which does not exist"),
            ));
        }
    }
}

/// Targets of inline links and of link definitions, outside of code, each with its line.
fn targets(text: &str) -> Vec<(String, usize)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
            match fence {
                None => fence = Some(mark),
                Some(open) if open == mark => fence = None,
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let end = rest.find([')', ' ']).unwrap_or(rest.len());
            targets.push((rest[..end].trim_matches(['<', '>']).to_owned(), index + 1));
        }
        if trimmed.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
            && let Some(target) = target.split_whitespace().next()
        {
            targets.push((target.trim_matches(['<', '>']).to_owned(), index + 1));
        }
    }
    targets
}

/// The line with its inline code blanked out.
fn without_code(line: &str) -> String {
    if line.matches('`').count() < 2 {
        return line.to_owned();
    }
    let parts = line.split('`').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 0 { part } else { "" })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("docs/adr")).unwrap();
        std::fs::write(dir.path().join("docs/adr/1.md"), "").unwrap();
        std::fs::write(dir.path().join("README.md"), "").unwrap();
        let mut findings = Vec::new();
        check(dir.path(), "docs/a.md", text, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_to_files_that_exist_pass() {
        let text = "[a](adr/1.md#x), [b](../README.md) [c](https://x.y/z) [d](#here) [e](adr)\n[f]: adr/1.md \"t\"\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn links_to_files_that_do_not_exist_are_found_with_their_line() {
        assert_eq!(
            found("x\n[a](adr/2.md) [b](adr/1.md)"),
            ["docs/a.md:2: link to \"adr/2.md\", which does not exist"]
        );
        assert_eq!(found("[a]: nowhere.md").len(), 1);
        assert_eq!(found("[a](/README.md)").len(), 1);
    }

    #[test]
    fn code_has_no_links() {
        assert_eq!(found("`[a](b.md)` and\n```\n[a](b.md)\n```\nx[0](y)").len(), 1);
    }
}
