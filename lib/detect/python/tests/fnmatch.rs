//! `fnmatch` against CPython's.

mod support;

#[test]
fn wildcards_match_what_they_match_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/fnmatch.in"),
        outcomes: include_str!("data/fnmatch.txt"),
        fallbacks_max: 12,
    });
}
