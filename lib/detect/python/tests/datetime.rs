//! `datetime` and `time` against CPython's.

mod support;

#[test]
fn dates_and_times_are_those_of_cpython() {
    support::check(&support::Table {
        input: include_str!("data/datetime.in"),
        outcomes: include_str!("data/datetime.txt"),
        fallbacks_max: 7,
    });
}
