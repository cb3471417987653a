//! Sources that nobody would write: loading and compiling them ends, soon, with an answer.

use proptest::prelude::*;
use streamalert_native::load::{Loaded, compile_source, load_source};
use streamalert_native::lower;

const SOURCE: &str = include_str!("data/scopes.py");

fn survives(text: &str) -> Loaded {
    let mut loaded = load_source(text, "a.py", (3, 11, 7));
    // Every function, not only rules.
    lower::compile(&loaded.export).expect("the version is known");
    loaded.export.objects.reverse();
    lower::compile(&loaded.export).expect("the version is known");
    loaded
}

#[test]
fn deep_nesting_is_told() {
    for text in [
        format!("x = {}1{}\n", "(".repeat(5000), ")".repeat(5000)),
        format!("x = {}1{}\n", "[".repeat(150_000), "]".repeat(150_000)),
        format!("x = 1{}\n", " + 1".repeat(50_000)),
        format!("x = a{}\n", ".b".repeat(50_000)),
        format!("x = a{}\n", "()".repeat(50_000)),
        format!("x = {}1\n", "not ".repeat(50_000)),
        format!("x = {}1\n", "- ".repeat(50_000)),
        format!("x = {}1\n", "lambda: ".repeat(50_000)),
        format!("x = {}1\n", "lambda a, b: ".repeat(50_000)),
        format!("x = {}1\n", "1 if 1 else ".repeat(50_000)),
        format!("x = 2{}\n", " ** 2".repeat(50_000)),
        format!("def f(r):\n    return {}\n", "f'{".repeat(5000)),
        (0..500)
            .map(|depth| format!("{}if x:\n", " ".repeat(depth)))
            .collect::<String>(),
    ] {
        let problem = compile_source(&text, "a.py").expect_err("told");
        assert!(
            problem.message.contains("nested too deeply"),
            "{} for {}",
            problem,
            &text[..40]
        );
    }
}

#[test]
fn what_is_deep_but_allowed_compiles() {
    for value in [
        format!("{}1{}", "[".repeat(150), "]".repeat(150)),
        format!("{}1", "lambda: ".repeat(90)),
        format!("{}1{}", "[x for x in ".repeat(60), "]".repeat(60)),
        format!("{}1{}", "f(".repeat(150), ")".repeat(150)),
        format!("1{}", " + rec".repeat(150)),
        format!("rec{}", "['a']".repeat(90)),
    ] {
        let program = compile_source(&format!("def f(rec):\n    return {value}\n"), "a.py").unwrap();
        assert!(program.points.is_empty(), "{:?}", program.points);
    }
}

#[test]
fn long_is_not_deep() {
    let many = (0..3000)
        .map(|n| format!("rec['k'] == {n}"))
        .collect::<Vec<String>>()
        .join(" or ");
    let items = (0..30_000)
        .map(|n| format!("'{n}'"))
        .collect::<Vec<String>>()
        .join(", ");
    let text = format!("X = [{items}]\ndef f(rec):\n    return {many} or rec['k'] in [{items}]\n");
    let program = compile_source(&text, "a.py").unwrap();
    assert!(program.points.is_empty(), "{:?}", program.points);
}

#[test]
fn a_long_chain_of_elif_falls_back() {
    let chain = (0..5000)
        .map(|n| format!("    elif rec == {n}:\n        return {n}\n"))
        .collect::<String>();
    let text = format!("def f(rec):\n    if rec == -1:\n        return 0\n{chain}");
    let program = compile_source(&text, "a.py").unwrap();
    assert_eq!(program.points.len(), 1, "{:?}", program.points);
}

#[test]
fn ten_thousand_functions_of_one_file_compile() {
    let text = (0..10_000)
        .map(|n| format!("def f{n}(rec):\n    return rec['a{n}'].startswith('x') and any(x in rec['b'] for x in ('y', '{n}'))\n"))
        .collect::<String>();
    let program = compile_source(&text, "a.py").unwrap();
    assert_eq!(program.codes.len(), 10_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_survived(text in "[ -~\n\t\u{e9}\u{1f600}]{0,300}") {
        survives(&text);
    }

    #[test]
    fn pieces_of_python_in_any_order_are_survived(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "def f(rec):\n", "    ", "        ", "return ", "x", " = ", "(", ")", "[", "]", "{", "}", ":", "\n", ",",
            "for x in y", " if ", " else ", "lambda", "*", "**", "yield ", "await ", "nonlocal x", "global x", "del ",
            "f'{x!r:>{w}}'", "'a'", "1", ":=", " and ", "not ", ".get('a')", "['b']", "match x:\n", "case [*_]:\n",
            "try:\n", "except e as x:\n", "finally:\n", "with x as y:\n", "class A:\n", "import a.b", "async ", "@",
            "\u{fffd}", "'\\ud800'", "0x", "1e999", "__x", "any(x for x in y)", "raise", "from . import x",
        ]), 0..40),
    ) {
        survives(&pieces.concat());
    }

    #[test]
    fn python_with_pieces_taken_out_is_survived(
        cuts in prop::collection::vec((0..SOURCE.len(), 0..40_usize, prop::sample::select(vec!["", "(", ")", ":", "\n", "x", " "])), 1..4),
        from in 0..SOURCE.len(),
    ) {
        let mut text = SOURCE.as_bytes().get(from..(from + 3000).min(SOURCE.len())).unwrap_or_default().to_vec();
        for (at, len, with) in cuts {
            let at = at % text.len().max(1);
            let end = (at + len).min(text.len());
            if at <= end {
                text.splice(at..end, with.bytes());
            }
        }
        survives(&String::from_utf8_lossy(&text));
    }
}
