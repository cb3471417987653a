//! Data made from a schema: every key, filled by its type and by what its name suggests.

use streamalert_value::{Map, Value};

/// Deeper schemas are not filled in.
const DEPTH_MAX: usize = 16;

/// Data of a log type: an object for `json`, a text for the others. `None` where the definition cannot be followed.
pub(crate) fn data(definition: &Value) -> Option<Value> {
    let schema = definition.get("schema")?.as_map()?;
    let empty = Value::Map(Map::new());
    let configuration = definition.get("configuration").unwrap_or(&empty);
    let mut record = object(schema, DEPTH_MAX);
    if let Some(patterns) = configuration.get("log_patterns").and_then(Value::as_map) {
        follow(&mut record, patterns, DEPTH_MAX);
    }
    let option = |key: &str, default: &'static str| {
        let given = configuration.get(key).and_then(Value::as_str);
        given.unwrap_or(default).to_owned()
    };
    match definition.get("parser")?.as_str()? {
        "json" => wrapped(record, configuration),
        "csv" => Some(Value::Str(row(&record, &option("delimiter", ",")))),
        "kv" => {
            let (delimiter, separator) = (option("delimiter", " "), option("separator", "="));
            let pairs = record
                .iter()
                .map(|(key, value)| format!("{key}{separator}{}", plain(value)));
            Some(Value::Str(pairs.collect::<Vec<_>>().join(&delimiter)))
        }
        "syslog" => Some(Value::Str(
            "Jan 10 19:35:33 web-1 sshd[1234]: example message".to_owned(),
        )),
        _ => None,
    }
}

fn object(schema: &Map, depth: usize) -> Map {
    let keys = schema.iter();
    keys.map(|(key, kind)| (key.clone(), value(key, kind, depth)))
        .collect()
}

fn value(key: &str, kind: &Value, depth: usize) -> Value {
    match kind {
        Value::Str(word) => match word.as_str() {
            "integer" => Value::Int(number(key)),
            "float" => Value::Float(1.5),
            "boolean" => Value::Bool(true),
            _ => Value::Str(example_text(key).to_owned()),
        },
        Value::List(_) => Value::List(Vec::new()),
        Value::Map(nested) if depth > 0 => Value::Map(object(nested, depth - 1)),
        _ => Value::Map(Map::new()),
    }
}

fn number(key: &str) -> i64 {
    let key = key.to_lowercase();
    if key.contains("time") || key.contains("date") {
        1_767_225_600
    } else if key.contains("port") {
        443
    } else {
        1
    }
}

/// Values by a part of the key's name; addresses and domains are those set aside for documentation.
const TEXTS: [(&str, &str); 14] = [
    ("email", "alice@example.com"),
    ("mac", "00:00:5e:00:53:01"),
    ("url", "https://www.example.com/"),
    ("domain", "example.com"),
    ("host", "host-1.example.com"),
    ("address", "192.0.2.10"),
    ("ip", "192.0.2.10"),
    ("time", "2026-01-01T00:00:00Z"),
    ("date", "2026-01-01"),
    ("port", "443"),
    ("path", "/usr/bin/example"),
    ("user", "alice"),
    ("action", "ExampleAction"),
    ("event", "ExampleEvent"),
];

fn example_text(key: &str) -> &'static str {
    let key = key.to_lowercase();
    let found = TEXTS.iter().find(|(part, _)| key.contains(part));
    found.map_or("example", |(_, text)| text)
}

/// Puts what `log_patterns` asks for into a record.
fn follow(record: &mut Map, patterns: &Map, depth: usize) {
    for (key, pattern) in patterns {
        let text = match pattern {
            Value::Str(text) => Some(text.as_str()),
            Value::List(texts) => texts.first().and_then(Value::as_str),
            Value::Map(nested) if depth > 0 => {
                if let Some(Value::Map(inner)) = record.get_mut(key) {
                    follow(inner, nested, depth - 1);
                }
                None
            }
            _ => None,
        };
        if let Some(text) = text
            && record.contains_key(key)
        {
            record.insert(
                key.clone(),
                Value::Str(text.replace('*', "example").replace('?', "x")),
            );
        }
    }
}

/// The record where `json_path` finds it, with the envelope's keys around. Only plain paths are followed.
fn wrapped(record: Map, configuration: &Value) -> Option<Value> {
    let Some(path) = configuration.get("json_path").and_then(Value::as_str) else {
        return Some(Value::Map(record));
    };
    let path = path.trim_start_matches("$.");
    let mut data = Value::Map(record);
    for part in path.rsplit('.') {
        let (name, is_list) = match part.strip_suffix("[*]") {
            Some(name) => (name, true),
            None => (part, false),
        };
        if name.is_empty() || name.contains(['[', '*', '(', ' ', '@', '&', '|']) {
            return None;
        }
        let inner = if is_list { Value::List(vec![data]) } else { data };
        data = Value::Map([(name.to_owned(), inner)].into_iter().collect());
    }
    let envelope = configuration.get("envelope_keys").and_then(Value::as_map);
    if let (Value::Map(root), Some(envelope)) = (&mut data, envelope) {
        for (key, filled) in object(envelope, DEPTH_MAX) {
            root.entry(key).or_insert(filled);
        }
    }
    Some(data)
}

/// A row of CSV; nested schemas are rows within it.
fn row(record: &Map, delimiter: &str) -> String {
    let cells = record.values().map(|value| match value {
        Value::Map(nested) => format!("\"{}\"", row(nested, delimiter)),
        other => plain(other),
    });
    cells.collect::<Vec<_>>().join(delimiter)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => other.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(definition: &str) -> String {
        let definition = Value::parse_json(definition.as_bytes()).unwrap();
        match data(&definition).unwrap() {
            Value::Str(text) => text,
            other => other.to_json(),
        }
    }

    #[test]
    fn every_key_is_filled_by_its_type_and_its_name() {
        let json = made(
            r#"{"parser": "json", "schema": {"srcIp": "string", "dstPort": "integer", "ok": "boolean", "l": [],
            "any": {}, "in": {"userName": "string"}}, "configuration": {"log_patterns": {"in": {"userName": ["a*"]}}}}"#,
        );
        assert_eq!(
            json,
            r#"{"srcIp":"192.0.2.10","dstPort":443,"ok":true,"l":[],"any":{},"in":{"userName":"aexample"}}"#
        );
    }

    #[test]
    fn records_are_put_where_the_parser_looks_for_them() {
        let path = made(
            r#"{"parser": "json", "schema": {"a": "string"},
            "configuration": {"json_path": "batch.records[*]", "envelope_keys": {"host": "string"}}}"#,
        );
        assert_eq!(
            path,
            r#"{"batch":{"records":[{"a":"example"}]},"host":"host-1.example.com"}"#
        );
        assert_eq!(
            made(r#"{"parser": "csv", "schema": {"a": "string", "n": "integer"}}"#),
            "example,1"
        );
        let kv = r#"{"parser": "kv", "schema": {"a": "string", "n": "integer"}, "configuration": {"delimiter": ";"}}"#;
        assert_eq!(made(kv), "a=example;n=1");
    }
}
