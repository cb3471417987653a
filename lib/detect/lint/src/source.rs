use std::collections::BTreeMap;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Expr, ModModule};
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::{Code, Finding, SourceFile};

/// One file: its text, where its lines begin, and what its comments silence.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    line_starts: Vec<usize>,
    silenced: BTreeMap<usize, Silence>,
}

/// What a comment silences on its line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Silence {
    Everything,
    Codes(Vec<Code>),
}

/// Findings of one file, and the rule that is looked at.
pub(crate) struct Sink<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) rule: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        let breaks = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            path: &file.path,
            text: &file.text,
            line_starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect(),
            silenced: BTreeMap::new(),
        }
    }

    /// The text of a node.
    pub(crate) fn slice(&self, range: TextRange) -> &'a str {
        self.text
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default()
    }

    /// Line and column, in characters, from 1.
    pub(crate) fn place(&self, at: TextSize) -> (usize, usize) {
        let at = at.to_usize();
        let line = self.line_starts.partition_point(|start| *start <= at).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// Reads the comments that silence checks; answers words in them that are no check.
    pub(crate) fn read_comments(&mut self, parsed: &Parsed<ModModule>) -> Vec<(TextRange, String)> {
        let mut unknown = Vec::new();
        for token in parsed
            .tokens()
            .iter()
            .filter(|token| token.kind() == TokenKind::Comment)
        {
            let comment = self.slice(token.range());
            let Some(silence) = silence(comment, |word| unknown.push((token.range(), word.to_owned())))
            else {
                continue;
            };
            let (line, _) = self.place(token.start());
            let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
            let before = self.text.get(start..token.start().to_usize()).unwrap_or_default();
            // A comment that has a line to itself is about the next one.
            let line = if before.trim().is_empty() { line + 1 } else { line };
            self.silenced.insert(line, silence);
        }
        unknown
    }

    fn is_silenced(&self, line: usize, code: Code) -> bool {
        match self.silenced.get(&line) {
            None => false,
            Some(Silence::Everything) => true,
            Some(Silence::Codes(codes)) => codes.contains(&code),
        }
    }
}

/// What a comment silences; `unknown` hears of words that name no check. Codes of other linters after `noqa` are
/// theirs.
fn silence<'t>(comment: &'t str, mut unknown: impl FnMut(&'t str)) -> Option<Silence> {
    let words = |text: &'t str| text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    let body = comment.trim_start_matches('#').trim_start();
    if let Some(rest) = body.strip_prefix("streamalert:") {
        let rest = rest.trim_start().strip_prefix("ignore")?.trim_start();
        let Some(inner) = rest.strip_prefix('[') else {
            return Some(Silence::Everything);
        };
        let inner = inner.split(']').next().unwrap_or_default();
        let mut codes = Vec::new();
        for word in words(inner) {
            match Code::of(word) {
                Some(code) => codes.push(code),
                None => unknown(word),
            }
        }
        return Some(Silence::Codes(codes));
    }
    let at = comment.to_ascii_lowercase().find("noqa")?;
    let rest = comment.get(at + "noqa".len()..)?;
    match rest.trim_start().strip_prefix(':') {
        None => Some(Silence::Everything),
        Some(list) => Some(Silence::Codes(words(list).filter_map(Code::of).collect())),
    }
}

impl Sink<'_> {
    /// Notes a finding, unless a comment on its line silences it.
    pub(crate) fn add(
        &mut self,
        range: TextRange,
        code: Code,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let (line, column) = self.source.place(range.start());
        if self.source.is_silenced(line, code) {
            return;
        }
        self.findings.push(Finding {
            file: self.source.path.to_owned(),
            line,
            column,
            code,
            rule: self.rule.clone(),
            message: message.into(),
            fix: fix.into(),
        });
    }

    /// The text of an expression on one line, cut where it is long.
    pub(crate) fn shown(&self, expr: &Expr) -> String {
        const SHOWN_MAX: usize = 60;
        let text = self.source.slice(expr.range());
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if flat.chars().count() <= SHOWN_MAX {
            return flat;
        }
        flat.chars().take(SHOWN_MAX).chain("…".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silenced(comment: &str) -> (Option<Silence>, Vec<&str>) {
        let mut unknown = Vec::new();
        let found = silence(comment, |word| unknown.push(word));
        (found, unknown)
    }

    #[test]
    fn comments_silence_everything_or_what_they_name() {
        let codes = |codes: &[Code]| Some(Silence::Codes(codes.to_vec()));
        assert_eq!(silenced("# noqa").0, Some(Silence::Everything));
        assert_eq!(
            silenced("# NOQA: SA301,SA201").0,
            codes(&[Code::WrongType, Code::UnknownKey])
        );
        assert_eq!(silenced("# noqa: E501"), (codes(&[]), vec![]));
        assert_eq!(silenced("# streamalert: ignore").0, Some(Silence::Everything));
        let listed = silenced("#streamalert: ignore[sa301, unknown-key, nonsense]");
        assert_eq!(
            listed,
            (codes(&[Code::WrongType, Code::UnknownKey]), vec!["nonsense"])
        );
        assert_eq!(silenced("# a note").0, None);
        assert_eq!(silenced("# streamalert: is good").0, None);
    }
}
