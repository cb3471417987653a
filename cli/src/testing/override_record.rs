use streamalert_value::{Map, Value};

/// The record that a partial one stands for: a default for every key of the log type's envelope, or of its schema
/// where it has none, under the keys of `partial`. Empty where a type is unknown, as StreamAlert's own types have
/// no other.
pub(crate) fn whole_record(definition: &Value, partial: &Map) -> Map {
    let envelope = definition
        .get("configuration")
        .and_then(|configuration| configuration.get("envelope_keys"));
    let schema = envelope
        .or_else(|| definition.get("schema"))
        .and_then(Value::as_map);
    let mut record: Map = schema
        .into_iter()
        .flatten()
        .map(|(key, kind)| (key.clone(), default_of(kind)))
        .collect();
    for (key, value) in partial {
        record.insert(key.clone(), value.clone());
    }
    record
}

fn default_of(kind: &Value) -> Value {
    match kind {
        Value::Str(name) => match name.as_str() {
            "integer" => Value::Int(0),
            "float" => Value::Float(0.0),
            "boolean" => Value::Bool(false),
            _ => Value::Str(String::new()),
        },
        Value::List(_) => Value::List(Vec::new()),
        // Nested keys are not filled in: StreamAlert does not, either.
        _ => Value::Map(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(definition: &str, partial: &str) -> String {
        let definition = Value::parse_json(definition.as_bytes()).unwrap();
        let partial = Value::parse_json(partial.as_bytes()).unwrap();
        Value::Map(whole_record(&definition, partial.as_map().unwrap())).to_json()
    }

    #[test]
    fn every_key_of_the_schema_gets_the_default_of_its_type_under_what_is_given() {
        let definition = r#"{"schema": {"s": "string", "i": "integer", "f": "float", "b": "boolean", "l": [],
            "d": {}, "n": {"x": "string"}, "t": "string"}}"#;
        assert_eq!(
            whole(definition, r#"{"t": "given", "more": [1]}"#),
            r#"{"s":"","i":0,"f":0.0,"b":false,"l":[],"d":{},"n":{},"t":"given","more":[1]}"#
        );
    }

    #[test]
    fn an_envelope_is_filled_in_instead_of_the_schema() {
        let definition =
            r#"{"schema": {"a": "string"}, "configuration": {"envelope_keys": {"owner": "string"}}}"#;
        assert_eq!(whole(definition, r#"{"logs": []}"#), r#"{"owner":"","logs":[]}"#);
    }
}
