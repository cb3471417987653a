//! Values and nodes as JSON text.

use crate::text::{write_escape, write_json_text};
use crate::{Kind, Map, NodeRef, Value, float_repr};

/// How JSON is written; the options of Python's `json.dumps` that we need.
#[derive(Debug, Clone, Copy)]
pub struct JsonStyle {
    /// What goes between elements and members.
    pub between: &'static str,
    /// What goes between key and value.
    pub after_key: &'static str,
    /// Whether keys are sorted by code point.
    pub sort_keys: bool,
    /// Whether everything outside ASCII is escaped.
    pub ensure_ascii: bool,
}

impl JsonStyle {
    /// No spaces, keys in order, UTF-8.
    pub const COMPACT: Self = Self {
        between: ",",
        after_key: ":",
        sort_keys: false,
        ensure_ascii: false,
    };
    /// No spaces, keys sorted, ASCII: the same text for equal values of equal types.
    pub const CANONICAL: Self = Self {
        between: ",",
        after_key: ":",
        sort_keys: true,
        ensure_ascii: true,
    };
    /// `json.dumps(value)`.
    pub const PYTHON: Self = Self {
        between: ", ",
        after_key: ": ",
        sort_keys: false,
        ensure_ascii: true,
    };
    /// `json.dumps(value, separators=(',', ':'))`.
    pub const PYTHON_COMPACT: Self = Self {
        between: ",",
        after_key: ":",
        sort_keys: false,
        ensure_ascii: true,
    };

    /// The text of `value` in this style.
    #[must_use]
    pub fn text(&self, value: &Value) -> String {
        let mut out = Vec::new();
        self.write(value, &mut out);
        String::from_utf8(out).expect("the writer emits whole characters only")
    }

    /// Appends `value` in this style.
    pub fn write(&self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Int(number) => write_display(number, out),
            Value::BigInt(digits) => out.extend_from_slice(digits.as_bytes()),
            Value::Float(float) => write_json_float(*float, out),
            Value::Str(text) => self.write_text(text, out),
            Value::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(self.between.as_bytes());
                    }
                    self.write(item, out);
                }
                out.push(b']');
            }
            Value::Map(map) => self.write_map(map, out),
        }
    }

    fn write_map(&self, map: &Map, out: &mut Vec<u8>) {
        let mut members: Vec<(&String, &Value)> = map.iter().collect();
        if self.sort_keys {
            members.sort_unstable_by_key(|(key, _)| *key);
        }
        out.push(b'{');
        for (at, (key, value)) in members.into_iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.between.as_bytes());
            }
            self.write_text(key, out);
            out.extend_from_slice(self.after_key.as_bytes());
            self.write(value, out);
        }
        out.push(b'}');
    }

    fn write_text(&self, text: &str, out: &mut Vec<u8>) {
        // Python escapes whatever is not printable ascii, of which 0x7f is the one above the control characters.
        if !self.ensure_ascii || (text.is_ascii() && !text.contains('\x7f')) {
            return write_json_text(text, out);
        }
        out.push(b'"');
        for character in text.chars() {
            match character {
                ' '..='~' if character != '"' && character != '\\' => out.push(character as u8),
                _ => write_escape(u32::from(character), out),
            }
        }
        out.push(b'"');
    }
}

/// Appends a float as `json.dumps` writes it.
pub(crate) fn write_json_float(float: f64, out: &mut Vec<u8>) {
    if float.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if float.is_infinite() {
        out.extend_from_slice(if float > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        out.extend_from_slice(float_repr(float).as_bytes());
    }
}

fn write_display(value: &dyn std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    let _ = write!(out, "{value}");
}

impl NodeRef<'_> {
    /// Appends the value as JSON without line breaks. Texts and numbers stay as they are written, so that nothing
    /// is lost; where the source has no line breaks and no repeated keys, it is copied in one piece.
    pub fn write_json(self, out: &mut Vec<u8>) {
        if self.tree().is_verbatim() {
            return out.extend_from_slice(self.raw().as_bytes());
        }
        match self.kind() {
            Kind::List => {
                out.push(b'[');
                for (at, item) in self.items().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Kind::Map => {
                out.push(b'{');
                for (at, (key, value)) in self.members().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key.raw().as_bytes());
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
            _ => out.extend_from_slice(self.raw().as_bytes()),
        }
    }
}
