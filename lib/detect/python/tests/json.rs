//! `json` against CPython's.

mod support;

#[test]
fn json_is_read_and_written_as_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/json.in"),
        outcomes: include_str!("data/json.txt"),
        fallbacks_max: 4,
    });
}
