//! Texts that every match must contain, for an index that chooses patterns by what stands in an event.

use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

use crate::linear::superset;
use crate::pattern::Pattern;

/// Literals in one answer. More are shortened until they are that few.
const LITERALS_MAX: usize = 64;
/// Parts of one sequence that are looked at, since every one costs an extraction.
const PARTS_MAX: usize = 48;
/// Longer patterns are asked for their beginning and end only.
const SOURCE_BYTES_MAX: usize = 4096;

impl Pattern {
    /// Texts of which every match contains at least one, letter for letter. None when nothing is known.
    pub fn required_literals(&self) -> Option<Vec<String>> {
        let hir = superset(&self.ir)?;
        if self.source().len() > SOURCE_BYTES_MAX {
            return better(edge(&hir, ExtractKind::Prefix), edge(&hir, ExtractKind::Suffix))
                .map(without_longer);
        }
        best(&hir).map(without_longer)
    }

    /// Texts of which every match begins with at least one: for patterns used with `match` and `fullmatch`, or
    /// that begin with `^`. None when nothing is known.
    pub fn literal_prefixes(&self) -> Option<Vec<String>> {
        edge(&superset(&self.ir)?, ExtractKind::Prefix)
    }
}

/// The literals that a match begins or ends with.
fn edge(hir: &Hir, kind: ExtractKind) -> Option<Vec<String>> {
    let is_prefix = matches!(kind, ExtractKind::Prefix);
    let mut seq = Extractor::new().kind(kind).extract(hir);
    let longest = seq.literals()?.iter().map(|literal| literal.len()).max()?;
    for bytes in (1..=longest).rev() {
        if seq.len().is_some_and(|len| len <= LITERALS_MAX) {
            break;
        }
        shorten(&mut seq, bytes, is_prefix);
    }
    let mut texts = Vec::new();
    for literal in seq.literals()? {
        texts.push(whole_chars(literal.as_bytes(), is_prefix)?.to_owned());
    }
    texts.sort_unstable();
    texts.dedup();
    let usable =
        !texts.is_empty() && texts.len() <= LITERALS_MAX && texts.iter().all(|text| !text.is_empty());
    usable.then_some(texts)
}

fn shorten(seq: &mut Seq, bytes: usize, is_prefix: bool) {
    if is_prefix {
        seq.keep_first_bytes(bytes);
    } else {
        seq.keep_last_bytes(bytes);
    }
    seq.sort();
    seq.dedup();
}

/// The literal without a character that a limit cut in two.
fn whole_chars(bytes: &[u8], is_prefix: bool) -> Option<&str> {
    if is_prefix {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        };
    }
    let continued = bytes.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
    std::str::from_utf8(bytes.get(continued..)?).ok()
}

/// The best literals of a tree: those at its edges, or within it.
fn best(hir: &Hir) -> Option<Vec<String>> {
    let edges = better(edge(hir, ExtractKind::Prefix), edge(hir, ExtractKind::Suffix));
    let inner = match hir.kind() {
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub),
        HirKind::Alternation(branches) => any_of(branches),
        HirKind::Concat(parts) => within(parts),
        _ => None,
    };
    better(edges, inner)
}

fn any_of(branches: &[Hir]) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for branch in branches {
        all.extend(best(branch)?);
        if all.len() > LITERALS_MAX {
            return None;
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

fn within(parts: &[Hir]) -> Option<Vec<String>> {
    let parts = parts.get(..PARTS_MAX).unwrap_or(parts);
    let mut found = None;
    for (at, part) in parts.iter().enumerate() {
        let inner = match part.kind() {
            HirKind::Literal(_) | HirKind::Class(_) => {
                // Up to 8 parts are enough for a literal that selects.
                let run: Vec<Hir> = parts.iter().skip(at).take(8).cloned().collect();
                edge(&Hir::concat(run), ExtractKind::Prefix)
            }
            _ => best(part),
        };
        found = better(found, inner);
    }
    found
}

/// The answer that selects more: longer literals, then fewer.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let (Some(one), Some(other)) = (&one, &other) else {
        return one.or(other);
    };
    let score = |texts: &[String]| {
        let shortest = texts.iter().map(String::len).min().unwrap_or(0).min(12);
        (shortest, std::cmp::Reverse(texts.len()))
    };
    Some(if score(one) >= score(other) {
        one.clone()
    } else {
        other.clone()
    })
}

/// Drops what contains another literal: it adds nothing.
fn without_longer(texts: Vec<String>) -> Vec<String> {
    let redundant = |text: &String| {
        texts
            .iter()
            .any(|other| other != text && text.contains(other.as_str()))
    };
    texts.iter().filter(|text| !redundant(text)).cloned().collect()
}
