//! Conversion of values to their declared types, written straight as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use streamalert_value::write_json_text;
use streamalert_value::{Kind, NodeRef, float_repr, integer_of_float, parse_python_float, parse_python_int};

use crate::field::{FieldType, Fields};

/// A value that cannot become what it is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongType;

/// Whether the value is already what it is declared to be, decided by its kind alone.
#[inline(always)]
fn fits(kind: &FieldType, node: NodeRef<'_>) -> bool {
    matches!(
        (kind, node.kind()),
        (FieldType::Anything, _)
            | (FieldType::Text, Kind::Text)
            | (FieldType::Integer, Kind::Int)
            | (
                FieldType::Float,
                Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity
            )
            | (FieldType::Boolean, Kind::True | Kind::False)
            | (FieldType::List, Kind::List)
    )
}

/// Whether conversion leaves the value alone: it fits, or it is falsy, which no type but a nested schema minds.
#[inline(always)]
pub(crate) fn stays(kind: &FieldType, node: NodeRef<'_>) -> bool {
    fits(kind, node) || !matches!(kind, FieldType::Nested(_)) && !node.is_truthy()
}

/// Appends the converted value; true when it is another than before. Falsy values are left alone, except that a
/// nested schema must be met.
pub(crate) fn write(kind: &FieldType, node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<bool, WrongType> {
    if let FieldType::Nested(fields) = kind {
        return write_nested(fields, node, out);
    }
    if stays(kind, node) {
        node.write_json(out);
        return Ok(false);
    }
    match kind {
        FieldType::Text => {
            let mut text = String::new();
            node.write_python_str(&mut text);
            write_json_text(&text, out);
        }
        FieldType::Integer => out.extend_from_slice(integer(node).ok_or(WrongType)?.as_bytes()),
        FieldType::Float => write_float(float(node).ok_or(WrongType)?, out),
        FieldType::Boolean => out.extend_from_slice(if is_true_text(node) { b"true" } else { b"false" }),
        FieldType::List | FieldType::Nested(_) | FieldType::Anything => return Err(WrongType),
    }
    Ok(true)
}

fn write_nested(fields: &Fields, node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<bool, WrongType> {
    if node.kind() != Kind::Map || node.members().count() != fields.len() {
        return Err(WrongType);
    }
    let mut changed = false;
    out.push(b'{');
    for (at, (key, value)) in node.members().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let field = fields.get(fields.find(key).ok_or(WrongType)?);
        out.extend_from_slice(key.raw().as_bytes());
        out.push(b':');
        changed |= write(&field.kind, value, out)?;
    }
    out.push(b'}');
    Ok(changed)
}

/// Where within a value the conversion fails, for messages: `a.b: not an integer`, or what is wrong with the keys.
pub(crate) fn describe(kind: &FieldType, node: NodeRef<'_>, path: &str, found: &mut Vec<String>) {
    let FieldType::Nested(fields) = kind else {
        if write(kind, node, &mut Vec::new()).is_err() {
            found.push(format!("{path}: not {}", kind.name()));
        }
        return;
    };
    if node.kind() != Kind::Map {
        return found.push(format!("{path}: not an object"));
    }
    let mut known = 0;
    for (key, value) in node.members() {
        let name = key.as_str().unwrap_or_default();
        let mut inner = path.to_owned();
        let _ = write!(inner, ".{name}");
        match fields.find(key) {
            Some(at) => {
                known += 1;
                describe(&fields.get(at).kind, value, &inner, found);
            }
            None => found.push(format!("{inner}: unexpected")),
        }
    }
    if known < fields.len() {
        let absent = fields
            .iter()
            .filter(|field| node.get_hashed(field.hash, &field.name).is_none());
        found.extend(absent.map(|field| format!("{path}.{}: missing", field.name)));
    }
}

/// `int(value)` for a truthy value.
fn integer(node: NodeRef<'_>) -> Option<String> {
    match node.kind() {
        Kind::Text => parse_python_int(&node.as_str()?),
        Kind::Int => Some(node.raw().to_owned()),
        Kind::Float => integer_of_float(node.as_f64()?),
        Kind::True => Some("1".to_owned()),
        _ => None,
    }
}

/// `float(value)` for a truthy value; an integer beyond the range of floats is none.
fn float(node: NodeRef<'_>) -> Option<f64> {
    match node.kind() {
        Kind::Text => parse_python_float(&node.as_str()?),
        Kind::Int => node.as_f64().filter(|float| float.is_finite()),
        Kind::True => Some(1.0),
        _ => node.as_f64(),
    }
}

fn write_float(float: f64, out: &mut Vec<u8>) {
    if float.is_finite() {
        out.extend_from_slice(float_repr(float).as_bytes());
    } else if float.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        let _ = out.write_all(if float > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}

/// `str(value).lower() == "true"`.
fn is_true_text(node: NodeRef<'_>) -> bool {
    match node.kind() {
        Kind::True => true,
        Kind::Text => node
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true")),
        _ => false,
    }
}
