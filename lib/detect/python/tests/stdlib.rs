//! Small modules against CPython's: `base64`, `binascii`, `copy`, `hashlib`, `math`, `operator`, `string`.

mod support;

#[test]
fn small_modules_do_what_they_do_in_cpython() {
    support::check(&support::Table {
        input: include_str!("data/stdlib.in"),
        outcomes: include_str!("data/stdlib.txt"),
        fallbacks_max: 4,
    });
}
