//! `json.dumps`.

use streamalert_value::{JsonStyle, Value, float_repr};

use super::{Args, Cx, DEPTH_MAX, Obj, R, bind, misfit, ops};
use crate::{iter, text};

struct Style<'a> {
    ensure_ascii: bool,
    sort_keys: bool,
    between: &'a str,
    after_key: &'a str,
    /// What a level is indented by.
    indent: Option<String>,
}

pub(super) fn dumps<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    // All but the object are keyword-only.
    let [value] = args.pos else {
        return Err(misfit(cx));
    };
    let names = ["ensure_ascii", "sort_keys", "indent", "separators", "default"];
    let options = Args {
        pos: &[],
        kw: args.kw,
    };
    let [ensure_ascii, sort_keys, indent, separators, default] = bind(cx, &options, names, 0)?;
    let flag = |value: Option<Obj<'a>>, default| value.map_or(Ok(default), |value| ops::truthy(cx, value));
    let indent = match indent {
        None | Some(Obj::None) => None,
        Some(Obj::Int(count)) => Some(" ".repeat(usize::try_from(count).unwrap_or(0).min(64))),
        Some(Obj::Str(text)) if text.len() <= 64 => Some(text.to_owned()),
        Some(_) => return Err(cx.leave("such an indent of json.dumps")),
    };
    let (between, after_key) = match separators {
        None | Some(Obj::None) => (if indent.is_some() { "," } else { ", " }, ": "),
        Some(pair) => match &*iter::collect(cx, pair)? {
            [Obj::Str(between), Obj::Str(after_key)] => (*between, *after_key),
            _ => return Err(cx.leave("such separators of json.dumps")),
        },
    };
    let style = Style {
        ensure_ascii: flag(ensure_ascii, true)?,
        sort_keys: flag(sort_keys, false)?,
        between,
        after_key,
        indent,
    };
    let has_default = !matches!(default, None | Some(Obj::None));
    let mut out = String::new();
    write(cx, &style, has_default, *value, &mut out, 0)?;
    cx.str(&out)
}

fn write<'a>(
    cx: &Cx<'a>,
    style: &Style<'_>,
    has_default: bool,
    value: Obj<'a>,
    out: &mut String,
    depth: u32,
) -> R<'a, ()> {
    let start = out.len();
    if depth > DEPTH_MAX {
        return Err(cx.leave("JSON nested very deep, or in a circle"));
    }
    let value = ops::resolve(cx, value)?;
    match value {
        Obj::None => out.push_str("null"),
        Obj::Bool(true) => out.push_str("true"),
        Obj::Bool(false) => out.push_str("false"),
        Obj::Int(_) | Obj::Big(_) => out.push_str(text::repr(cx, value)?),
        Obj::Float(float) => out.push_str(&float_text(float)),
        Obj::Str(text) => write_text(style, text, out),
        Obj::NodeList(_) | Obj::List(_) | Obj::ConstList(_) | Obj::Tuple(_) | Obj::ConstTuple(_) => {
            let items = iter::collect(cx, value)?;
            return elements(cx, style, out, depth, ['[', ']'], items.len(), |out, place| {
                let item = items.get(place).copied().unwrap_or(Obj::None);
                write(cx, style, has_default, item, out, depth + 1)
            });
        }
        Obj::NodeDict(_) | Obj::Dict(_) | Obj::ConstDict(_) => {
            let members = members(cx, style, value)?;
            return elements(cx, style, out, depth, ['{', '}'], members.len(), |out, place| {
                let Some((key, value)) = members.get(place) else {
                    return Ok(());
                };
                write_text(style, key, out);
                out.push_str(style.after_key);
                write(cx, style, has_default, *value, out, depth + 1)
            });
        }
        _ if has_default => return Err(cx.leave("the default of json.dumps")),
        Obj::Native(_) | Obj::Class(_) | Obj::NativeClass(_) => {
            return Err(cx.leave("an object of a module in json.dumps"));
        }
        _ => {
            let class = ops::class_of(cx, value)?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            return Err(cx.type_error(format_args!("Object of type {name} is not JSON serializable")));
        }
    }
    written(cx, start, out)
}

fn written<'a>(cx: &Cx<'a>, start: usize, out: &str) -> R<'a, ()> {
    cx.tick()?;
    cx.use_fuel((out.len() - start) as u64 / 64)?;
    if out.len() > cx.limits.text_bytes {
        cx.reserve(out.len())?;
    }
    Ok(())
}

fn elements<'a>(
    cx: &Cx<'a>,
    style: &Style<'_>,
    out: &mut String,
    depth: u32,
    [open, close]: [char; 2],
    count: usize,
    mut element: impl FnMut(&mut String, usize) -> R<'a, ()>,
) -> R<'a, ()> {
    let line = |out: &mut String, depth: u32| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    };
    out.push(open);
    for place in 0..count {
        if place > 0 {
            out.push_str(style.between);
        }
        let start = out.len();
        line(out, depth + 1);
        written(cx, start, out)?;
        element(out, place)?;
    }
    if count > 0 {
        line(out, depth);
    }
    out.push(close);
    Ok(())
}

/// Keys as texts, and values.
fn members<'a>(cx: &Cx<'a>, style: &Style<'_>, dict: Obj<'a>) -> R<'a, Vec<(&'a str, Obj<'a>)>> {
    let mut members = Vec::new();
    let mut all_texts = true;
    for key in iter::collect(cx, dict)? {
        let key = ops::resolve(cx, key)?;
        let name = match key {
            Obj::Str(text) => text,
            Obj::None => "null",
            Obj::Bool(true) => "true",
            Obj::Bool(false) => "false",
            Obj::Int(_) | Obj::Big(_) => text::repr(cx, key)?,
            Obj::Float(float) => cx.text(&float_text(float))?,
            Obj::Native(_) => return Err(cx.leave("an object of a module as a key of json.dumps")),
            // CPython sorts first, and comes to a key after it has written the members before it.
            _ if style.sort_keys || !members.is_empty() => {
                return Err(cx.leave("a key that json.dumps comes to later"));
            }
            _ => {
                let class = ops::class_of(cx, key)?;
                let name = ops::class_name(cx, class).unwrap_or_default();
                return Err(cx.type_error(format_args!(
                    "keys must be str, int, float, bool or None, not {name}"
                )));
            }
        };
        all_texts &= matches!(key, Obj::Str(_));
        if let Some(value) = ops::dict_get(cx, dict, key)? {
            members.push((name, value));
        }
    }
    if style.sort_keys {
        if !all_texts {
            return Err(cx.leave("json.dumps that sorts keys that are no texts"));
        }
        members.sort_by_key(|(name, _)| *name);
    }
    Ok(members)
}

fn float_text(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float_repr(float)
    }
}

fn write_text(style: &Style<'_>, text: &str, out: &mut String) {
    let json = JsonStyle {
        ensure_ascii: style.ensure_ascii,
        ..JsonStyle::PYTHON
    };
    out.push_str(&json.text(&Value::Str(text.to_owned())));
}
