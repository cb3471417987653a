//! Differences that the differential harness found, shrunk.

mod support;

#[test]
fn differences_found_by_the_harness_stay_mended() {
    support::check(&support::Table {
        input: include_str!("data/differences.in"),
        outcomes: include_str!("data/differences.txt"),
        fallbacks_max: 46,
    });
}
