//! Texts, formats, methods and built-in functions, as CPython has them: `data/texts.txt` and `data/builtins.txt` are
//! written by `data/texts.py`.

mod support;

use support::{Origin, Table, check_by};

const ORIGIN: Origin = Origin {
    record: r#"{"a": {"b": [1, "x"]}}"#,
    minors: &[8, 11, 13],
    lines_min: 5000,
};

#[test]
fn texts_and_formats_are_those_of_cpython() {
    let table = Table {
        input: "",
        outcomes: include_str!("data/texts.txt"),
        fallbacks_max: 30,
    };
    check_by(&ORIGIN, &table);
}

#[test]
fn built_in_functions_and_methods_do_what_they_do_in_cpython() {
    let table = Table {
        input: "",
        outcomes: include_str!("data/builtins.txt"),
        fallbacks_max: 4400,
    };
    check_by(&ORIGIN, &table);
}
