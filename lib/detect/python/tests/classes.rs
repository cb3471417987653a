//! Classes that rules define, their instances, and functions that remember, against CPython's.

mod support;

#[test]
fn classes_of_rules_behave_as_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/classes.in"),
        outcomes: include_str!("data/classes.txt"),
        fallbacks_max: 18,
    });
}
