//! The API of `streamalert` against our package for CPython.

mod support;

#[test]
fn streamalert_s_helpers_do_what_they_do_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/streamalert.in"),
        outcomes: include_str!("data/streamalert.txt"),
        fallbacks_max: 8,
    });
}
