use streamalert_types::Alert;
use streamalert_value::{Value, float_repr, write_json_text};

/// `value` as JSON that any receiver reads (RFC 8259). NaN and infinities, which Python writes bare, become the
/// texts `"NaN"`, `"Infinity"`, `"-Infinity"`; integers of any size keep all their digits.
#[must_use]
pub fn to_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write_json(value, &mut out);
    out
}

/// [`to_json`] for people: one member per line, two spaces of indentation.
pub(crate) fn to_pretty_json(value: &Value) -> String {
    let mut out = Vec::with_capacity(1024);
    write(value, Some(0), &mut out);
    String::from_utf8(out).expect("every piece that was written is text")
}

/// Appends [`to_json`].
pub(crate) fn write_json(value: &Value, out: &mut Vec<u8>) {
    write(value, None, out);
}

/// What outputs get of an alert without publishers. A record that is no JSON, which no rule of ours raises an
/// alert on, goes as text.
pub(crate) fn output_dict(alert: &Alert) -> Value {
    streamalert_detect::output_dict(alert).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(&alert.record).into_owned();
        streamalert_detect::output_dict_with_record(alert, Value::Str(text))
    })
}

/// Recursion is bounded: no reader makes a value deeper than [`streamalert_value::DEPTH_MAX`].
fn write(value: &Value, indent: Option<usize>, out: &mut Vec<u8>) {
    let inner = indent.map(|indent| indent + 2);
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::BigInt(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(number) if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        Value::Float(number) if number.is_infinite() => {
            out.extend_from_slice(if *number > 0.0 {
                b"\"Infinity\""
            } else {
                b"\"-Infinity\""
            });
        }
        Value::Float(number) => out.extend_from_slice(float_repr(*number).as_bytes()),
        Value::Str(text) => write_json_text(text, out),
        Value::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                begin_member(at, inner, out);
                write(item, inner, out);
            }
            end_members(items.len(), indent, out);
            out.push(b']');
        }
        Value::Map(fields) => {
            out.push(b'{');
            for (at, (name, item)) in fields.iter().enumerate() {
                begin_member(at, inner, out);
                write_json_text(name, out);
                out.extend_from_slice(if indent.is_some() { b": " } else { b":" });
                write(item, inner, out);
            }
            end_members(fields.len(), indent, out);
            out.push(b'}');
        }
    }
}

fn begin_member(at: usize, indent: Option<usize>, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
    new_line(indent, out);
}

fn end_members(count: usize, indent: Option<usize>, out: &mut Vec<u8>) {
    if count > 0 {
        new_line(indent, out);
    }
}

fn new_line(indent: Option<usize>, out: &mut Vec<u8>) {
    if let Some(indent) = indent {
        out.push(b'\n');
        out.resize(out.len() + indent, b' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = (Value, serde_json::Value)> {
        let scalar = prop_oneof![
            Just((Value::Null, serde_json::Value::Null)),
            any::<bool>().prop_map(|b| (Value::Bool(b), b.into())),
            any::<i64>().prop_map(|n| (Value::Int(n), n.into())),
            // serde_json reads other floats with an error in the last place; they have a test below
            any::<i32>().prop_map(|n| (Value::Float(f64::from(n) / 8.0), (f64::from(n) / 8.0).into())),
            any::<String>().prop_map(|s| (Value::Str(s.clone()), s.into())),
        ];
        scalar.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|items| {
                    let (ours, theirs): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                    (Value::List(ours), serde_json::Value::Array(theirs))
                }),
                prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|items| {
                    let ours = items.iter().map(|(k, (v, _))| (k.clone(), v.clone())).collect();
                    let theirs = items.into_iter().map(|(k, (_, v))| (k, v)).collect();
                    (Value::Map(ours), serde_json::Value::Object(theirs))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_strict_reader_reads_back_what_was_written((ours, theirs) in values()) {
            let read: serde_json::Value = serde_json::from_slice(&to_json(&ours)).unwrap();
            prop_assert_eq!(read, theirs);
        }

        #[test]
        fn floats_keep_all_their_digits(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            let text = String::from_utf8(to_json(&Value::Float(number))).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap(), number);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }

    #[test]
    fn what_json_cannot_say_becomes_text_and_big_integers_keep_their_digits() {
        let value = Value::List(vec![
            Value::Float(f64::NAN),
            Value::Float(f64::NEG_INFINITY),
            Value::BigInt("123456789012345678901234567890".into()),
            Value::Float(1e16),
            Value::Str("\u{0}\u{1f}\"\\\u{2028}é".to_owned()),
        ]);
        let text = String::from_utf8(to_json(&value)).unwrap();
        let expected = "[\"NaN\",\"-Infinity\",123456789012345678901234567890,1e+16,\"\\u0000\\u001f\\\"\\\\\u{2028}é\"]";
        assert_eq!(text, expected);
    }

    #[test]
    fn pretty_json_has_a_line_per_member() {
        let map = Value::Map(
            [("a".to_owned(), Value::List(vec![Value::Int(1), Value::Null]))]
                .into_iter()
                .collect(),
        );
        let text = to_pretty_json(&Value::List(vec![
            map,
            Value::List(vec![]),
            Value::Map(Default::default()),
        ]));
        assert_eq!(
            text,
            "[\n  {\n    \"a\": [\n      1,\n      null\n    ]\n  },\n  [],\n  {}\n]"
        );
    }
}
