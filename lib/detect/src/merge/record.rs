use streamalert_value::{Map, Value};

/// Python's `==` on values that `json.loads` made. NaN differs from itself, but not inside a list or dictionary:
/// CPython's `json` hands out one NaN object, and containers compare their items by identity first.
fn equal(a: &Value, b: &Value) -> bool {
    let nested = |value: &Value| matches!(value, Value::List(_) | Value::Map(_));
    a.python_eq(b) || (nested(a) && nested(b) && equality_text(a) == equality_text(b))
}

fn equality_text(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    value.equality_key(&mut text);
    text
}

/// The record without `ignored` keys at any level of dictionaries. Dictionaries inside lists stay as they are.
#[must_use]
pub fn clean_record(record: Map, ignored: &[String]) -> Map {
    record
        .into_iter()
        .filter(|(key, _)| !ignored.contains(key))
        .map(|(key, value)| match value {
            Value::Map(inner) => (key, Value::Map(clean_record(inner, ignored))),
            other => (key, other),
        })
        .collect()
}

/// The greatest common subset of all records, in the key order and with the values of the first: what is equal
/// by Python's `==` in all of them, and of dictionaries that differ the part that does not, unless empty.
#[must_use]
pub fn common_of(records: &[&Map]) -> Map {
    let Some((first, others)) = records.split_first() else {
        return Map::new();
    };
    if others.is_empty() {
        return (*first).clone();
    }
    let mut common = Map::new();
    for (key, value) in *first {
        let Some(theirs) = others
            .iter()
            .map(|record| record.get(key))
            .collect::<Option<Vec<&Value>>>()
        else {
            continue;
        };
        if theirs.iter().all(|other| equal(other, value)) {
            common.insert(key.clone(), value.clone());
            continue;
        }
        let all: Option<Vec<&Map>> = std::iter::once(&value)
            .chain(&theirs)
            .map(|value| {
                if let Value::Map(map) = value {
                    Some(map)
                } else {
                    None
                }
            })
            .collect();
        if let Some(all) = all {
            let nested = common_of(&all);
            if !nested.is_empty() {
                common.insert(key.clone(), Value::Map(nested));
            }
        }
    }
    common
}

/// What of `record` is not in `common`. A dictionary that is partly common shows the other part, unless empty.
#[must_use]
pub fn difference(common: &Map, record: &Map) -> Map {
    if common.is_empty() {
        return record.clone();
    }
    let mut different = Map::new();
    for (key, value) in record {
        match (common.get(key), value) {
            (Some(shared), _) if equal(value, shared) => {}
            (Some(Value::Map(shared)), Value::Map(inner)) => {
                let rest = difference(shared, inner);
                if !rest.is_empty() {
                    different.insert(key.clone(), Value::Map(rest));
                }
            }
            _ => {
                different.insert(key.clone(), value.clone());
            }
        }
    }
    different
}
