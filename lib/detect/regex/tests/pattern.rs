//! What the comparison with CPython cannot see: engines, limits, literals, threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use streamalert_regex::{
    Anchor, BACKTRACK_FRAMES_MAX, CompileError, DEPTH_MAX, Engine, Flags, GROUPS_MAX, Limits, MatchError,
    Pattern, PyVersion, escape,
};

const VERSION: PyVersion = PyVersion { minor: 11 };

fn compile(pattern: &str) -> Pattern {
    Pattern::compile(pattern, Flags::NONE, VERSION, &Limits::default()).unwrap()
}

fn refusal(pattern: &str) -> CompileError {
    Pattern::compile(pattern, Flags::NONE, VERSION, &Limits::default()).unwrap_err()
}

fn is_untranslatable(pattern: &str) -> bool {
    matches!(refusal(pattern), CompileError::Untranslatable { .. })
}

#[test]
fn without_room_for_programs_every_pattern_backtracks_and_finds_the_same() {
    let limits = Limits {
        program_bytes_max: 0,
        ..Limits::default()
    };
    // A literal needs no automaton, which alone the limit would be about.
    for pattern in ["b", "", r"(?i)\bb+$", r"(a)\1"] {
        let backtracking = Pattern::compile(pattern, Flags::NONE, VERSION, &limits).unwrap();
        assert_eq!(backtracking.engine(), Engine::Backtracking, "{pattern}");
        for text in ["", "aab", "a B", "aa\nbb\n"] {
            let find = |pattern: &Pattern| pattern.find(Anchor::Search, text, 0, text.len()).unwrap();
            assert_eq!(
                find(&backtracking),
                find(&compile(pattern)),
                "{pattern} in {text:?}"
            );
        }
    }
}

#[test]
fn usual_patterns_are_linear() {
    for pattern in [
        r"^arn:aws:iam::\d{12}:user/(?P<name>.+)$",
        r"(?i)\bpowershell(\.exe)?\b.*-enc",
        r"(\w+\.)+(com|net)\Z",
        r"a*?b",
        "",
    ] {
        assert_eq!(compile(pattern).engine(), Engine::Linear, "{pattern}");
    }
    for pattern in [
        r"(a)\1",
        "a(?=b)",
        "(?<!a)b",
        "(?>a)b",
        "(a)?(?(1)b|c)",
        "(a*)*",
        "a++",
    ] {
        assert_eq!(compile(pattern).engine(), Engine::Backtracking, "{pattern}");
    }
}

#[test]
fn a_linear_pattern_is_immune_to_catastrophic_texts() {
    let text = "a".repeat(100_000) + "b";
    assert_eq!(compile("^(a+)+$").is_match(&text), Ok(false));
}

#[test]
fn a_backtracking_pattern_reaches_its_limit_instead_of_running_on() {
    let text = "a".repeat(5_000) + "!";
    assert_eq!(
        compile(r"^(?:(a+)+\1)+$").is_match(&("x".to_owned() + &text)),
        Ok(false)
    );
    assert_eq!(
        compile(r"^(?:(a+)+\1)+[!]\1").is_match(&text),
        Err(MatchError::Backtracking)
    );
}

#[test]
fn the_choices_that_are_kept_have_a_limit() {
    let text = "ab".repeat(BACKTRACK_FRAMES_MAX);
    let limits = Limits {
        backtrack_steps_max: u64::MAX,
        ..Limits::default()
    };
    let pattern = Pattern::compile(r"(?:(a)|(b))*(?=c|b?$)\1?", Flags::NONE, VERSION, &limits).unwrap();
    assert_eq!(pattern.is_match(&text), Err(MatchError::Backtracking));
}

#[test]
fn a_filter_spares_texts_without_the_literal() {
    let limits = Limits {
        backtrack_steps_max: 0,
        ..Limits::default()
    };
    let pattern = Pattern::compile(r"(?<!x)needle", Flags::NONE, VERSION, &limits).unwrap();
    assert_eq!(pattern.is_match(&"hay".repeat(1_000)), Ok(false));
    assert_eq!(pattern.is_match("needle"), Err(MatchError::Backtracking));
}

#[test]
fn nesting_groups_and_length_are_limited() {
    let nested = |depth: usize| "(?:".repeat(depth) + "a" + &")".repeat(depth);
    assert!(compile(&nested(DEPTH_MAX - 1)).is_match("a").unwrap());
    assert!(is_untranslatable(&nested(DEPTH_MAX)));
    assert!(is_untranslatable(&nested(100_000)));
    assert!(is_untranslatable(
        &("(a)?".to_owned() + &"(?(1)".repeat(1_000) + &")".repeat(1_000))
    ));
    compile(&"(a)".repeat(GROUPS_MAX));
    assert!(is_untranslatable(&"(a)".repeat(GROUPS_MAX + 1)));
    assert!(is_untranslatable(&"a".repeat(300_000)));
    assert!(is_untranslatable(&format!("(?<=a{{{}}})b", u32::MAX - 1)));
}

#[test]
fn large_counted_repetitions_take_the_other_engine() {
    for pattern in [
        r"((a{1000}){1000}){1000}",
        r"(?:\w{200}){200}",
        "a{4294967294}",
        "(?:){4294967294}",
    ] {
        let pattern = compile(pattern);
        assert_eq!(pattern.engine(), Engine::Backtracking, "{}", pattern.source());
        let _ = pattern.is_match("aaaa");
    }
    let pattern = compile("(?:(?=a)){4000000000}b");
    assert_eq!(pattern.is_match("ab"), Err(MatchError::Backtracking));
}

#[test]
fn required_literals_are_the_ones_that_select() {
    let literals = |pattern: &str| compile(pattern).required_literals();
    let some = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(literals("foo"), some(&["foo"]));
    assert_eq!(literals(r"^.*\bConsoleLogin\b"), some(&["ConsoleLogin"]));
    assert_eq!(literals(r"\w+@example\.com$"), some(&["@example.com"]));
    assert_eq!(literals("foo|barbar"), some(&["barbar", "foo"]));
    assert_eq!(literals("(?:foo)?bar"), some(&["bar"]));
    assert_eq!(literals(r"(?<!x)(\w)needle\1"), some(&["needle"]));
    assert_eq!(literals("foo|.*"), None);
    assert_eq!(literals("a*"), None);
    assert_eq!(literals(r"\w+"), None);
    assert_eq!(literals("(?:ab){3}"), some(&["ababab"]));
    assert_eq!(literals(r"\d+(?i:é)x"), some(&["Éx", "éx"]));
    assert!(
        compile(r"^foo\d")
            .literal_prefixes()
            .unwrap()
            .iter()
            .all(|text| text.starts_with("foo"))
    );
    assert_eq!(compile(r".*foo").literal_prefixes(), None);
}

#[test]
fn exponential_patterns_are_told() {
    for pattern in [
        "(a+)+$",
        "(?:a|aa)+$",
        r"^(\w+\s?)*$",
        r"(x+x+)+y",
        r"(?:\d{1,3}\.?)+!",
        "(.*)*b",
        r"^(([a-z])+.)+[A-Z]",
        r"(?=(a+)+b)",
    ] {
        assert!(compile(pattern).catastrophic().is_some(), "{pattern}");
    }
    for pattern in [
        "(a+b)+$",
        r"(?:\.\w+)+$",
        r"(?:\d{1,3}\.){3}\d{1,3}$",
        "(a+)+",
        "(?:a|b)+$",
        r"\s*\w+\s*$",
        r"(?>a+)+$",
        "(?:foo|foobar)*x",
    ] {
        assert_eq!(compile(pattern).catastrophic(), None, "{pattern}");
    }
}

#[test]
fn threads_share_a_pattern() {
    let pattern = compile(r"(\w+) \1");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pattern = &pattern;
            scope.spawn(move || {
                let mut captures = pattern.captures();
                for _ in 0..100 {
                    let text = format!("x{thread} x{thread}");
                    assert_eq!(pattern.search(&text, 0, text.len(), &mut captures), Ok(true));
                    assert_eq!(captures.text(&text, 1), Some(&text[..2]));
                }
            });
        }
    });
}

#[test]
fn offsets_within_a_character_are_moved_to_its_start() {
    let pattern = compile("é|$");
    assert_eq!(
        pattern.find(Anchor::Search, "aé", 2, usize::MAX),
        Ok(Some((1, 3)))
    );
    assert_eq!(pattern.find(Anchor::Search, "aé", 0, 2), Ok(Some((1, 1))));
    assert_eq!(pattern.find(Anchor::Search, "aé", 3, 1), Ok(None));
    assert_eq!(pattern.find(Anchor::Match, "aé", 3, 1), Err(MatchError::Region));
}

#[test]
fn captures_of_another_pattern_are_reused() {
    let mut captures = compile("a").captures();
    let pattern = compile("(a)(b)?");
    assert_eq!(pattern.search("xa", 0, 2, &mut captures), Ok(true));
    assert_eq!(
        (captures.get(1), captures.get(2), captures.get(3)),
        (Some((1, 2)), None, None)
    );
    assert_eq!(pattern.search("x", 0, 1, &mut captures), Ok(false));
    assert_eq!(captures.get(0), None);
}

#[test]
fn an_escaped_text_matches_itself() {
    let text: String = (0..0x250).filter_map(char::from_u32).collect();
    let pattern = compile(&escape(&text));
    assert_eq!(
        pattern.find(Anchor::Full, &text, 0, text.len()),
        Ok(Some((0, text.len())))
    );
    assert_eq!(escape("a.b c/é-"), r"a\.b\ c/é\-");
    let verbose = Pattern::compile(&escape("a #b"), Flags::VERBOSE, VERSION, &Limits::default()).unwrap();
    assert_eq!(verbose.is_match("a #b"), Ok(true));
}
