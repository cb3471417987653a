//! `string`: its constants.

use crate::program::Const;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;
const WHITESPACE: &str = " \t\n\r\x0b\x0c";

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    let text = match name {
        "ascii_lowercase" => LOWER.to_owned(),
        "ascii_uppercase" => UPPER.to_owned(),
        "ascii_letters" => [LOWER, UPPER].concat(),
        "digits" => DIGITS.to_owned(),
        "hexdigits" => [DIGITS, "abcdefABCDEF"].concat(),
        "octdigits" => "01234567".to_owned(),
        "punctuation" => PUNCTUATION.to_owned(),
        "whitespace" => WHITESPACE.to_owned(),
        "printable" => [DIGITS, LOWER, UPPER, PUNCTUATION, WHITESPACE].concat(),
        _ => return None,
    };
    Some(Const::Str(text.into()))
}
