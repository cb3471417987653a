//! `json`.

mod dump;

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::{Doc, JsonError, JsonErrorKind, Kind, NodeRef};

use super::args::bind;
use crate::builtins::misfit;
use crate::cx::{Cx, R, Raise, has_lone_surrogate};
use crate::obj::{Dict, Exception, List, Obj};
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn};
use crate::types::{ExcKind, Type};

/// Containers within each other; CPython's own limit differs by version.
const DEPTH_MAX: u32 = 200;

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "json",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[function("dumps", dump::dumps), function("loads", loads)];

/// What the module calls `name`.
#[must_use]
pub fn lookup(name: &str) -> Option<Const> {
    match name {
        "JSONDecodeError" => Some(Const::Type(Type::Exc(ExcKind::JsonDecodeError))),
        _ => super::function(FUNCTIONS, name),
    }
}

/// What `json.decoder` calls `name`.
#[must_use]
pub fn decoder(name: &str) -> Option<Const> {
    (name == "JSONDecodeError").then_some(Const::Type(Type::Exc(ExcKind::JsonDecodeError)))
}

fn loads<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [text] = bind(cx, args, ["s"], 1)?;
    let text = match ops::resolve(cx, text.unwrap_or(Obj::None))? {
        Obj::Str(text) => text,
        Obj::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) && !text.starts_with('\u{feff}') => text,
            _ => return Err(cx.leave("JSON in bytes that are not plain UTF-8")),
        },
        Obj::Native(_) | Obj::Const(_) => return Err(cx.leave("JSON from such an object")),
        other => {
            let class = ops::class_of(cx, other)?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            return Err(cx.type_error(format_args!(
                "the JSON object must be str, bytes or bytearray, not {name}"
            )));
        }
    };
    cx.reserve(text.len())?;
    let mut doc = Doc::new();
    match doc.parse(text) {
        Ok(tree) => object(cx, text, tree.root(), 0),
        Err(error) => Err(not_json(cx, text, error)),
    }
}

fn object<'a>(cx: &Cx<'a>, source: &'a str, node: NodeRef<'_>, depth: u32) -> R<'a> {
    cx.tick()?;
    if depth > DEPTH_MAX {
        return Err(cx.leave("JSON nested very deep"));
    }
    Ok(match node.kind() {
        Kind::Null => Obj::None,
        Kind::True => Obj::Bool(true),
        Kind::False => Obj::Bool(false),
        Kind::Int => match node.as_i64() {
            Some(number) => Obj::Int(number),
            // Since 3.11, and patch releases before, long ones raise.
            None if node.raw().len() > 640 => return Err(cx.leave("a very long integer in JSON")),
            None => ops::int_from_decimal(cx, node.raw())?,
        },
        Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity => {
            Obj::Float(node.as_f64().unwrap_or(f64::NAN))
        }
        Kind::Text | Kind::Key => text(cx, source, node)?,
        Kind::List => {
            let mut items = BumpVec::new_in(cx.bump);
            for item in node.items() {
                items.push(object(cx, source, item, depth + 1)?);
            }
            List::object(cx, items)
        }
        Kind::Map => {
            let dict = Dict::empty(cx);
            for (key, value) in node.members() {
                let key = text(cx, source, key)?;
                let value = object(cx, source, value, depth + 1)?;
                ops::set_item(cx, dict, key, value)?;
            }
            dict
        }
    })
}

fn text<'a>(cx: &Cx<'a>, source: &'a str, node: NodeRef<'_>) -> R<'a> {
    if node.is_escaped() {
        if has_lone_surrogate(node.raw_inside()) {
            return Err(cx.leave("half a surrogate pair in JSON"));
        }
        return cx.str(&node.as_str().unwrap_or_default());
    }
    // The span holds the quotes.
    let span = node.span();
    match source.get(span.start + 1..span.end.saturating_sub(1)) {
        Some(inside) => Ok(Obj::Str(inside)),
        None => cx.str(node.raw_inside()),
    }
}

/// `JSONDecodeError`
#[cold]
fn not_json<'a>(cx: &Cx<'a>, source: &'a str, error: JsonError) -> Raise<'a> {
    let byte = |at: usize| source.as_bytes().get(at).copied();
    let mut offset = error.offset;
    if error.kind == JsonErrorKind::ExpectedValue && offset > 0 && byte(offset - 1) == Some(b'-') {
        offset -= 1;
    }
    let before = source
        .get(..offset)
        .unwrap_or_default()
        .trim_end_matches([' ', '\t', '\n', '\r']);
    let trailing_comma = cx.program.version.minor >= 13 && before.ends_with(',');
    let message = match error.kind {
        JsonErrorKind::ExpectedKey if trailing_comma && byte(offset) == Some(b'}') => {
            offset = before.len() - 1;
            "Illegal trailing comma before end of object"
        }
        JsonErrorKind::ExpectedValue if trailing_comma && byte(offset) == Some(b']') => {
            offset = before.len() - 1;
            "Illegal trailing comma before end of array"
        }
        JsonErrorKind::ExpectedValue => "Expecting value",
        JsonErrorKind::ExpectedKey => "Expecting property name enclosed in double quotes",
        JsonErrorKind::ExpectedColon => "Expecting ':' delimiter",
        JsonErrorKind::ExpectedComma => "Expecting ',' delimiter",
        JsonErrorKind::TrailingText => "Extra data",
        JsonErrorKind::UnterminatedText => "Unterminated string starting at",
        JsonErrorKind::ControlCharacter => "Invalid control character at",
        JsonErrorKind::BadEscape => match byte(offset + 1) {
            Some(b'u') => {
                offset += 1;
                "Invalid \\uXXXX escape"
            }
            Some(_) => "Invalid \\escape",
            None => return cx.leave("JSON that ends within an escape"),
        },
        JsonErrorKind::ByteOrderMark => "Unexpected UTF-8 BOM (decode using utf-8-sig)",
        _ => return cx.leave("such JSON"),
    };
    let before = source.get(..offset).unwrap_or(source);
    let position = before.chars().count();
    let line = before.matches('\n').count() + 1;
    let column = match before.rfind('\n') {
        Some(at) => before.get(at + 1..).unwrap_or_default().chars().count() + 1,
        None => position + 1,
    };
    let whole = cx.bump.alloc_str(&format!(
        "{message}: line {line} column {column} (char {position})"
    ));
    let plain = cx.exception(ExcKind::JsonDecodeError, &[Obj::Str(whole)]);
    let extra = [
        ("msg", Obj::Str(message)),
        ("doc", Obj::Str(source)),
        ("pos", Obj::Int(position as i64)),
        ("lineno", Obj::Int(line as i64)),
        ("colno", Obj::Int(column as i64)),
    ];
    Raise::Exception(cx.bump.alloc(Exception {
        kind: plain.kind,
        user: None,
        args: plain.args,
        cause: plain.cause.clone(),
        context: plain.context.clone(),
        line: plain.line.clone(),
        extra: cx.bump.alloc_slice_copy(&extra),
    }))
}
