//! Operators, methods and errors of built-in types, as CPython has them: `data/objects.txt` is written by
//! `data/objects.py` from the expressions in `data/objects.in`.

mod support;

use support::{Origin, Table, check_by};

#[test]
fn built_in_types_do_what_they_do_in_cpython() {
    let origin = Origin {
        record: r#"{"s": "text", "n": 7, "f": 1.5, "t": true, "z": null, "l": [1, "a", [2]], "d": {"a": 1, "b": {"c": "x"}}, "e": [], "o": {}}"#,
        minors: &[8, 9, 10, 11, 12, 13],
        lines_min: 600,
    };
    let table = Table {
        input: "#! from collections import Counter, OrderedDict, defaultdict",
        outcomes: include_str!("data/objects.txt"),
        fallbacks_max: 30,
    };
    check_by(&origin, &table);
}
