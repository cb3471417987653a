use streamalert_value::{Map, Value};

use crate::MalformedMessage;

/// JSON text of a value.
pub(crate) fn value_to_json(value: &Value) -> String {
    to_serde(value).to_string()
}

/// The value that JSON text stands for.
pub(crate) fn value_from_json(field: &'static str, text: &str) -> Result<Value, MalformedMessage> {
    serde_json::from_str(text)
        .map(from_serde)
        .map_err(|error| MalformedMessage::value(field, error))
}

fn to_serde(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Int(int) => (*int).into(),
        Value::BigInt(text) => text.parse::<f64>().unwrap_or_default().into(),
        Value::Float(float) => (*float).into(),
        Value::Str(text) => text.clone().into(),
        Value::List(list) => list.iter().map(to_serde).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), to_serde(value)))
            .collect(),
    }
}

fn from_serde(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(bool),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(list) => Value::List(list.into_iter().map(from_serde).collect()),
        serde_json::Value::Object(map) => Value::Map(
            map.into_iter()
                .map(|(key, value)| (key, from_serde(value)))
                .collect::<Map>(),
        ),
    }
}
