//! Constants: as JSON for records, as Python for programs.

use crate::fields::Kind;
use crate::rng::Rng;

/// Words that programs and records share. JSON and Python texts of them are the same but for the quotes.
const WORDS: [&str; 48] = [
    "root",
    "admin",
    "Admin",
    "ADMIN",
    "alice",
    "bob",
    "deploy",
    "guest",
    "GetObject",
    "PutObject",
    "DeleteObject",
    "ConsoleLogin",
    "AssumeRole",
    "s3.amazonaws.com",
    "iam.amazonaws.com",
    "us-east-1",
    "eu-west-1",
    "prod",
    "dev",
    "web-1",
    "db-2",
    "ERROR",
    "error",
    "ok",
    "failed",
    "a",
    "b",
    "ab",
    "aXb",
    "x",
    "",
    " ",
    "  padded ",
    "a,b,c",
    "k=v",
    "1",
    "007",
    "-1",
    "3.5",
    "nan",
    "True",
    "None",
    "über",
    "straße",
    "ЖУК",
    "naïve café",
    "İstanbul",
    "数据",
];

/// Strings that few expect: combining characters, a surrogate, what is beyond the basic plane, control characters.
const STRANGE: [&str; 16] = [
    "\\ud83d\\ude00 grin",
    "\\ud800",
    "\\udc00x",
    "\\u0000",
    "tab\\tnew\\nline",
    "\\u00a0",
    "e\\u0301",
    "\\ufb01x",
    "\\u1e9e",
    "\\u0130",
    "\\u03a3\\u03a3",
    "\\u0660\\u0661",
    "\\u2028",
    "\\u00b2",
    "\\u01c5",
    "\\\\ \\\" '",
];

const TEXTS: [&str; 14] = [
    "User root failed to log in from 10.0.0.1",
    "GET /index.html HTTP/1.1 200 512",
    "key1=value1 key2=value2 key3",
    "a b  c   d",
    "line one\\nline two\\r\\nline three",
    "Failed password for invalid user admin from 198.51.100.7 port 22",
    "CamelCaseText and snake_case_text",
    "100%% of {braces} and {0}",
    "one,two,,three",
    "aaa bbb aaa",
    "x=1;y=2;z=3",
    "ERROR: disk full (code 17)",
    "über straße NAÏVE",
    "The quick brown fox",
];

const IPS: [&str; 14] = [
    "10.0.0.1",
    "10.1.2.3",
    "192.168.1.77",
    "172.16.5.4",
    "8.8.8.8",
    "198.51.100.7",
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "169.254.1.1",
    "::1",
    "2001:db8::1",
    "fe80::1",
    "::ffff:10.0.0.1",
];

const NETS: [&str; 7] = [
    "10.0.0.0/8",
    "192.168.0.0/16",
    "172.16.0.0/12",
    "198.51.100.0/28",
    "0.0.0.0/0",
    "2001:db8::/32",
    "10.1.2.3/32",
];

const URLS: [&str; 9] = [
    "https://example.com/a/b?x=1&y=2#top",
    "http://user:pw@10.0.0.1:8080/",
    "ftp://files.example.org/x%20y",
    "/relative/path",
    "https://example.com/?q=a+b%26c",
    "//host/path",
    "mailto:bob@example.com",
    "https://[2001:db8::1]:443/p;v=1",
    "",
];

const JSONS: [&str; 9] = [
    "{\\\"a\\\": 1, \\\"b\\\": [1, 2]}",
    "[1, 2.5, null, true]",
    "\\\"text\\\"",
    "{}",
    "{broken",
    "17",
    "{\\\"user\\\": \\\"root\\\"}",
    "null",
    "{\\\"a\\\": {\\\"b\\\": \\\"c\\\"}}",
];

const BASE64S: [&str; 6] = [
    "aGVsbG8=",
    "cm9vdA==",
    "eyJhIjogMX0=",
    "not base64!",
    "",
    "AAEC/w==",
];

const TIMES: [&str; 7] = [
    "2023-01-02T03:04:05Z",
    "2020-02-29T23:59:59Z",
    "1999-12-31T00:00:00Z",
    "2023-01-02",
    "03:04:05",
    "2023-13-01T00:00:00Z",
    "2024-06-30T12:00:00Z",
];

const DIGITS: [&str; 12] = [
    "0",
    "1",
    "42",
    "-7",
    " 12 ",
    "3.25",
    "1e3",
    "0x1f",
    "1_000",
    "12345678901234567890",
    "+5",
    "\\u0661\\u0662",
];

const PATHS: [&str; 9] = [
    "/etc/passwd",
    "/usr/bin/curl",
    "/home/bob/.ssh/id_rsa",
    "C:\\\\Windows\\\\System32\\\\cmd.exe",
    "/tmp/x",
    "/tmp/../etc",
    "relative/file.txt",
    "/var/log/syslog.1",
    "/",
];

const INTS: [&str; 22] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "10",
    "22",
    "42",
    "80",
    "100",
    "255",
    "256",
    "443",
    "1024",
    "-17",
    "3389",
    "65535",
    "1000000",
    "1600000000",
    "1672628645",
    "2147483648",
];

const BIGS: [&str; 8] = [
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "-100000000000000000000",
    "36893488147419103233",
];

const FLOATS: [&str; 14] = [
    "0.0",
    "1.0",
    "-0.5",
    "0.1",
    "2.5",
    "3.5",
    "99.99",
    "1e16",
    "1.5e-7",
    "123456.789",
    "-1.0",
    "1e22",
    "0.30000000000000004",
    "42.0",
];

/// A value of a kind as JSON.
pub(crate) fn json(rng: &mut Rng, kind: Kind) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    match kind {
        Kind::Word if rng.percent(8) => quoted(rng.pick(&STRANGE)),
        Kind::Word => quoted(rng.pick(&WORDS)),
        Kind::Text => quoted(&rng.pick(&TEXTS).replace("%%", "%")),
        Kind::Ip => quoted(rng.pick(&IPS)),
        Kind::Cidr => quoted(rng.pick(&NETS)),
        Kind::Url => quoted(rng.pick(&URLS)),
        Kind::Json => quoted(rng.pick(&JSONS)),
        Kind::Base64 => quoted(rng.pick(&BASE64S)),
        Kind::Time => quoted(rng.pick(&TIMES)),
        Kind::Digits => quoted(rng.pick(&DIGITS)),
        Kind::Path => quoted(rng.pick(&PATHS)),
        Kind::Int => rng.pick(&INTS).to_owned(),
        Kind::Big => rng.pick(&BIGS).to_owned(),
        Kind::Float => rng.pick(&FLOATS).to_owned(),
        Kind::Bool => rng.pick(&["true", "false"]).to_owned(),
        Kind::Words => list(rng, Kind::Word, 4),
        Kind::Ints => list(rng, Kind::Int, 5),
        Kind::Dict | Kind::Dicts => "{}".to_owned(),
        Kind::Counts => counts(rng),
        Kind::Anything => anything(rng),
    }
}

fn list(rng: &mut Rng, kind: Kind, most: usize) -> String {
    let items: Vec<String> = (0..rng.between(0, most)).map(|_| json(rng, kind)).collect();
    format!("[{}]", items.join(", "))
}

fn counts(rng: &mut Rng) -> String {
    let pairs: Vec<String> = (0..rng.between(0, 3))
        .map(|_| format!("{}: {}", json(rng, Kind::Word), json(rng, Kind::Int)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn anything(rng: &mut Rng) -> String {
    const KINDS: [Kind; 8] = [
        Kind::Word,
        Kind::Int,
        Kind::Float,
        Kind::Bool,
        Kind::Words,
        Kind::Ints,
        Kind::Counts,
        Kind::Text,
    ];
    if rng.percent(12) {
        return "null".to_owned();
    }
    let index = rng.below(KINDS.len());
    let kind = KINDS.get(index).copied().unwrap_or(Kind::Word);
    json(rng, kind)
}

/// A JSON value as a Python expression. Pairs of surrogates become the character that they stand for.
pub(crate) fn python(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('"') {
        out.push_str(&words(rest.get(..at).unwrap_or_default()));
        let inside = rest.get(at + 1..).unwrap_or_default();
        let end = string_end(inside);
        out.push_str(&string(inside.get(..end).unwrap_or_default()));
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    out.push_str(&words(rest));
    out
}

fn words(text: &str) -> String {
    text.replace("null", "None")
        .replace("true", "True")
        .replace("false", "False")
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// What stands between a JSON string's quotes, as a Python literal.
pub(crate) fn string(inside: &str) -> String {
    let text = inside
        .replace("\\ud83d\\ude00", "\\U0001f600")
        .replace("\\\"", "\"")
        .replace("\\/", "/")
        .replace('\'', "\\'");
    format!("'{text}'")
}

/// An integer literal as programs have it.
pub(crate) fn python_int(rng: &mut Rng) -> String {
    const FORMS: [&str; 8] = [
        "0xff",
        "0b101",
        "0o17",
        "1_000_000",
        "2 ** 31",
        "10 ** 20",
        "True",
        "-2",
    ];
    match rng.below(20) {
        0 => format!("({})", rng.pick(&FORMS)),
        1 => wrapped(json(rng, Kind::Big)),
        _ => wrapped(json(rng, Kind::Int)),
    }
}

/// A float literal as programs have it.
pub(crate) fn python_float(rng: &mut Rng) -> String {
    const FORMS: [&str; 8] = [
        "float('nan')",
        "float('inf')",
        "float('-inf')",
        "-0.0",
        "1.",
        ".5",
        "1e-300",
        "1e308",
    ];
    match rng.below(10) {
        0 => format!("({})", rng.pick(&FORMS)),
        _ => wrapped(json(rng, Kind::Float)),
    }
}

fn wrapped(text: String) -> String {
    if text.starts_with('-') {
        format!("({text})")
    } else {
        text
    }
}

/// A bytes literal.
pub(crate) fn python_bytes(rng: &mut Rng) -> String {
    const FORMS: [&str; 8] = [
        "b''",
        "b'abc'",
        "b'\\x00\\xff'",
        "b'root'",
        "b'a b c'",
        "b'\\xc3\\xa9'",
        "b'Hello'",
        "b'12'",
    ];
    rng.pick(&FORMS).to_owned()
}
