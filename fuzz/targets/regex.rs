//! Any pattern on any text: no panic, limits hold, and where the linear engine takes a pattern it finds what the
//! backtracking engine finds.
//!
//! Two bytes for flags and the version of Python, then pattern, text and template, each ended by a NUL.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamalert_fuzz::stack;
use streamalert_regex::{
    Anchor, CompileError, Engine, Flags, Limits, MatchError, Pattern, PyVersion, Template,
};

/// Backtracking soon ends.
const STEPS_MAX: u64 = 20_000;

fn compile(
    pattern: &str,
    flags: Flags,
    version: PyVersion,
    program_bytes_max: usize,
) -> Result<Pattern, CompileError> {
    let limits = Limits {
        pattern_bytes_max: 4096,
        program_bytes_max,
        backtrack_steps_max: STEPS_MAX,
        ..Limits::default()
    };
    Pattern::compile(pattern, flags, version, &limits)
}

/// Both answers are the same, unless one engine gave up.
fn same<T: std::fmt::Debug + PartialEq>(
    one: Result<T, MatchError>,
    other: Result<T, MatchError>,
    what: &str,
) {
    if let (Ok(one), Ok(other)) = (one, other) {
        assert_eq!(one, other, "{what}");
    }
}

/// The places of all groups.
fn groups(
    pattern: &Pattern,
    anchor: Anchor,
    text: &str,
    from: usize,
    to: usize,
) -> Result<Vec<Option<(usize, usize)>>, MatchError> {
    let mut captures = pattern.captures();
    let found = pattern.run(anchor, text, from, to, &mut captures)?;
    let groups: Vec<_> = (0..=pattern.groups()).map(|group| captures.get(group)).collect();
    assert_eq!(found, groups[0].is_some(), "a match has a place");
    for (start, end) in groups.iter().flatten() {
        // Without `text.get(…)` a place within a character would go unnoticed.
        assert!(text.get(*start..*end).is_some(), "{start}..{end}");
    }
    Ok(groups)
}

fn compare(one: &Pattern, other: &Pattern, text: &str, template: &str, cut: usize) {
    let (from, to) = (cut % 4, text.len().saturating_sub(cut / 4 % 4));
    for anchor in [Anchor::Search, Anchor::Match, Anchor::Full] {
        for (from, to) in [(0, text.len()), (from, to)] {
            let found = groups(one, anchor, text, from, to);
            same(
                one.find(anchor, text, from, to),
                found.clone().map(|groups| groups[0]),
                "a place alone",
            );
            same(
                one.is_match_at(anchor, text, from, to),
                found.clone().map(|groups| groups[0].is_some()),
                "no place",
            );
            same(found, groups(other, anchor, text, from, to), "two engines");
        }
    }
    same(
        one.find_all(text, 0, text.len()),
        other.find_all(text, 0, text.len()),
        "findall",
    );
    same(one.split(text, cut % 3), other.split(text, cut % 3), "split");
    let templates = (Template::new(one, template), Template::new(other, template));
    match templates {
        (Ok(for_one), Ok(for_other)) => {
            same(
                one.sub(&for_one, text, cut % 3),
                other.sub(&for_other, text, cut % 3),
                "sub",
            );
        }
        (for_one, for_other) => assert_eq!(for_one.err(), for_other.err(), "templates"),
    }
}

fn check(data: &[u8]) {
    let [flags, version, rest @ ..] = data else {
        return;
    };
    let mut parts = rest.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let [pattern, text, template] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let flags = Flags::from_bits(u32::from(flags & 0x7e) | u32::from(flags & 1) << 8);
    let minor = PyVersion::MIN.minor + version % 6;
    let version_of = PyVersion { minor };
    let cut = usize::from(version / 6);
    // Without room for a program there is no linear engine, and no filter before the other one.
    let backtracking = compile(&pattern, flags, version_of, 0);
    match (compile(&pattern, flags, version_of, 1 << 20), backtracking) {
        (Ok(one), Ok(other)) => {
            assert_eq!(other.engine(), Engine::Backtracking);
            one.catastrophic();
            compare(&one, &other, &text, &template, cut);
        }
        (one, other) => assert_eq!(one.err(), other.err(), "limits on programs do not show"),
    }
}

fuzz_target!(|data: &[u8]| stack::run(|| check(data)));
