//! `collections`, `itertools` and `functools` against CPython's.

mod support;

#[test]
fn containers_and_iterators_are_those_of_cpython() {
    support::check(&support::Table {
        input: include_str!("data/containers.in"),
        outcomes: include_str!("data/containers.txt"),
        fallbacks_max: 12,
    });
}
