//! `re` against CPython's.

mod support;

#[test]
fn regular_expressions_do_what_they_do_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/re.in"),
        outcomes: include_str!("data/re.txt"),
        fallbacks_max: 0,
    });
}
