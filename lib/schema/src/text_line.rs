//! Lines that are neither JSON nor CSV: key-value pairs and the BSD syslog line. Both become JSON objects of texts.

use std::sync::LazyLock;

use regex::Regex;
use streamalert_value::write_json_text;

use crate::field::Fields;

/// How key-value pairs are set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KvStyle {
    pub(crate) delimiter: String,
    pub(crate) separator: String,
}

/// Why a line is not of the form.
pub(crate) type Mismatch = String;

/// Appends the object of a line of key-value pairs. The number of fields must be that of the schema's keys; quotes
/// mean nothing; a key that occurs again takes the name of the schema's key at its position.
pub(crate) fn write_kv(
    line: &str,
    style: &KvStyle,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let parts: Vec<&str> = line
        .split(style.delimiter.as_str())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() != fields.len() {
        return Err(format!(
            "{} fields where {} are expected",
            parts.len(),
            fields.len()
        ));
    }
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(parts.len());
    for (at, part) in parts.into_iter().enumerate() {
        let Some((mut key, value)) = part.split_once(style.separator.as_str()) else {
            continue;
        };
        if pairs.iter().any(|(other, _)| *other == key) {
            key = &fields.get(at).name;
        }
        match pairs.iter_mut().find(|(other, _)| *other == key) {
            Some(pair) => pair.1 = value,
            None => pairs.push((key, value)),
        }
    }
    if pairs.is_empty() {
        return Err(format!("no field with the separator {:?}", style.separator));
    }
    write_object(&pairs, out);
    Ok(())
}

/// Python's `\w`, `\s` and `\d`, which differ from the regex crate's at the edges.
static SYSLOG: LazyLock<Regex> = LazyLock::new(|| {
    let (word, space) = (r"[\p{L}\p{N}_]", r"[\s\x1c-\x1f]");
    let pattern = format!(
        r"^({word}{{3}}{space}\d{{2}}{space}(?:\d{{2}}:?)+){space}((?:{word}-*)+){space}({word}+)(?:\[{word}+\])*:{space}(.*)\n?$"
    );
    Regex::new(&pattern).expect("a fixed pattern that the tests compile")
});

/// Appends the object of a syslog line: timestamp, host, application, message. The process id is dropped.
pub(crate) fn write_syslog(line: &str, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let Some(parts) = SYSLOG.captures(line) else {
        return Err("not a syslog line (Mon DD HH:MM:SS host application: message)".to_owned());
    };
    let names = ["timestamp", "host", "application", "message"];
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, parts.get(at + 1).map_or("", |part| part.as_str())))
        .collect();
    write_object(&pairs, out);
    Ok(())
}

fn write_object(pairs: &[(&str, &str)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_json_text(key, out);
        out.push(b':');
        write_json_text(value, out);
    }
    out.push(b'}');
}
