//! Records as JSON text: hits of the rules' constants, near misses, absent fields, and values of odd kinds.

use super::random::Random;

/// Texts as they stand in JSON, quotes included.
const TEXTS: &[&str] = &[
    r#""x""#,
    r#""x""#,
    r#""X""#,
    r#""\u0078""#,
    r#""xy""#,
    r#""y""#,
    r#""root""#,
    r#""root""#,
    r#""Root""#,
    r#""ROOT""#,
    r#""root ""#,
    r#"" root""#,
    r#""a-root-b""#,
    r#""ro\u006ft""#,
    r#""root/admin""#,
    r#""""#,
    r#""none""#,
    r#""1""#,
    r#""1.0""#,
    r#""\u00e9""#,
    r#""É""#,
    r#""Straße""#,
    r#""STRASSE""#,
    r#""İ""#,
    r#""ΑΣ""#,
    r#""\ud83d\ude00""#,
    r#""\ud800""#,
    r#""root\udc00""#,
    r#""10.0.0.1""#,
    r#""10.1.2.3""#,
    r#""11.0.0.1""#,
    r#""192.168.1.7""#,
    r#""010.0.0.1""#,
    r#""10.1""#,
    r#""2001:db8::1""#,
    r#""2001:db8::1%eth0""#,
    r#""::1""#,
    r#""::ffff:10.0.0.1""#,
];

/// Texts that rules are written for.
const TAME: &[&str] = &[
    r#""x""#,
    r#""x""#,
    r#""xy""#,
    r#""X""#,
    r#""root""#,
    r#""root""#,
    r#""Root""#,
    r#""root/admin""#,
    r#""y""#,
    r#""""#,
    r#""10.0.0.1""#,
    r#""11.0.0.1""#,
    r#"" root""#,
    r#""É""#,
];

const NUMBERS: &[&str] = &[
    "0",
    "0",
    "1",
    "1",
    "1.0",
    "2",
    "5",
    "5.5",
    "-0",
    "-0.0",
    "-1",
    "1e0",
    "1e400",
    "-1e400",
    "0.1",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "9223372036854775807",
    "9223372036854775808",
    "9.223372036854775807e18",
    "100000000000000000000",
    "-100000000000000000000",
    "1e20",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e-400",
];

const OTHERS: &[&str] = &[
    "null",
    "true",
    "false",
    "[]",
    "{}",
    r#"["x"]"#,
    r#"["root", 1, null]"#,
    r#"{"x": 1}"#,
    r#"{"k": "x"}"#,
    r#"{"k": {"e": "x"}}"#,
    r#"[["x"], {"k": "root"}]"#,
    r#"["\ud800"]"#,
    r#"[1, true, 1.0, "1"]"#,
];

/// Fields that rules look at, in the way that they are nested. Half of the records are what rules expect.
pub(super) fn record(random: &mut Random) -> String {
    let tame = random.chance(50);
    let text = |random: &mut Random| {
        if tame {
            random.pick(TAME).to_owned()
        } else {
            leaf(random)
        }
    };
    let number = |random: &mut Random| {
        if tame {
            random.pick(&NUMBERS[..6]).to_owned()
        } else {
            leaf(random)
        }
    };
    let mut fields = Vec::new();
    for key in ["a", "b", "ip"] {
        field(random, key, &mut fields, text);
    }
    field(random, "n", &mut fields, number);
    field(random, "l", &mut fields, |random| {
        if tame {
            let one = random.pick(TAME);
            format!("[{one}, {}]", random.pick(TAME))
        } else {
            leaf(random)
        }
    });
    field(random, "d", &mut fields, |random| {
        if !tame && random.chance(20) {
            return leaf(random);
        }
        let mut inner = Vec::new();
        field(random, "k", &mut inner, text);
        field(random, "n", &mut inner, number);
        field(random, "e", &mut inner, |random| {
            if !tame && random.chance(30) {
                return leaf(random);
            }
            let mut innermost = Vec::new();
            field(random, "f", &mut innermost, text);
            format!("{{{}}}", innermost.join(", "))
        });
        format!("{{{}}}", inner.join(", "))
    });
    if random.chance(2) {
        fields.push(r#""\ud800": 1"#.to_owned());
    }
    format!("{{{}}}", fields.join(", "))
}

fn field(random: &mut Random, key: &str, fields: &mut Vec<String>, value: impl Fn(&mut Random) -> String) {
    if random.chance(8) {
        return;
    }
    // The last of equal keys counts; keys may be escaped, too.
    if random.chance(2) {
        let first = value(random);
        fields.push(format!("\"{key}\": {first}"));
    }
    let shown = if random.chance(2) {
        key.bytes().map(|byte| format!("\\u{byte:04x}")).collect()
    } else {
        key.to_owned()
    };
    let value = value(random);
    fields.push(format!("\"{shown}\": {value}"));
}

fn leaf(random: &mut Random) -> String {
    match random.below(10) {
        0..=5 => random.pick(TEXTS).to_owned(),
        6..=7 => random.pick(NUMBERS).to_owned(),
        _ => random.pick(OTHERS).to_owned(),
    }
}
