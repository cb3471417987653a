//! Names, statements and field paths against CPython: the functions of `data/scopes.py`, whose results in
//! `data/scopes.txt` were written by CPython 3.11 (`data/scopes_expect.py`).

use std::collections::BTreeMap;

use streamalert_native::cx::{Leave, Raise};
use streamalert_native::export::{ExportedRule, Object};
use streamalert_native::obj::Obj;
use streamalert_native::registry::Args;
use streamalert_native::{eval, load, lower, testing, text};

const RECORD: &str = r#"{"a": {"b": "c"}, "l": [1, 2], "n": null, "s": "text"}"#;

/// Cases that are left to CPython, by design.
const LEFT: &[&str] = &[
    "case_unbound_within_a_generator",
    "case_unbound_within_a_comprehension_of_a_generator",
];

#[test]
fn names_mean_what_they_mean_in_cpython() {
    let mut export = load::load_source(include_str!("data/scopes.py"), "scopes.py", (3, 11, 7)).export;
    let cases: Vec<(u32, String)> = (0..)
        .zip(&export.objects)
        .filter_map(|(id, object)| match object {
            Object::Function { name, .. } => Some((id, name.clone())),
            _ => None,
        })
        .collect();
    for (id, name) in &cases {
        export.rules.push(ExportedRule {
            name: name.clone(),
            func: *id,
            ..ExportedRule::default()
        });
    }
    let program = lower::compile(&export).unwrap();
    let expected: BTreeMap<&str, &str> = include_str!("data/scopes.txt")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert_eq!(cases.len(), expected.len());
    let mut wrong = Vec::new();
    for (id, name) in &cases {
        let found = testing::with_program(&program, RECORD, |cx, record| {
            let result = eval::call(cx, cx.constant(*id), &Args::positional(&[record]))
                .and_then(|value| Ok(text::repr(cx, value)?.to_owned()));
            match result {
                Ok(text) => text,
                Err(Raise::Exception(exception)) => {
                    let kind = exception.kind.name();
                    text::str(cx, Obj::Exception(exception))
                        .map_or_else(|_| kind.to_owned(), |text| format!("{kind}: {text}"))
                }
                Err(Raise::Limit(limit)) => format!("limit {limit:?}"),
                Err(Raise::Fallback(Leave::Here(why))) => format!("left: {why}"),
                Err(Raise::Fallback(Leave::Point(point))) => {
                    format!("left: {:?}", program.points.get(point as usize))
                }
            }
        });
        let expected = expected.get(name.as_str()).copied().unwrap_or_default();
        let left = LEFT.contains(&name.as_str())
            || name == "case_imports" && !streamalert_native::modules::is_known("json");
        let is_right = if left {
            found.starts_with("left: ")
        } else {
            found == expected
        };
        if !is_right {
            wrong.push(format!("{name}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
