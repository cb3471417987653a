//! `ipaddress` against CPython's.

mod support;

#[test]
fn addresses_and_networks_are_those_of_cpython() {
    support::check(&support::Table {
        input: include_str!("data/ipaddress.in"),
        outcomes: include_str!("data/ipaddress.txt"),
        fallbacks_max: 20,
    });
}
