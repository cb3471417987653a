//! `urllib.parse` against CPython's.

mod support;

#[test]
fn addresses_are_what_they_are_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/urllib.in"),
        outcomes: include_str!("data/urllib.txt"),
        fallbacks_max: 28,
    });
}
