//! How a program reaches a field of the record.

use crate::expand::{Place, Writer};
use crate::grammar::Ty;
use crate::literals;

/// An access to some field of one of these types.
pub(crate) fn any(writer: &mut Writer<'_>, accepted: &[Ty]) -> Option<String> {
    let fitting: Vec<usize> = writer
        .places
        .iter()
        .enumerate()
        .filter(|(_, place)| place.types.iter().any(|ty| accepted.contains(ty)))
        .map(|(index, _)| index)
        .collect();
    if fitting.is_empty() {
        return None;
    }
    let place = writer.places.get(writer.rng.pick(&fitting))?.clone();
    Some(of(writer, &place))
}

/// An access to this field.
pub(crate) fn of(writer: &mut Writer<'_>, place: &Place) -> String {
    let record = writer.record_name.clone();
    let last = place.path.len().saturating_sub(1);
    if writer.rng.percent(2) {
        let key = literals::string(place.path.last().map_or("", String::as_str));
        if writer.rng.percent(50) {
            writer.hit("field get_first_key");
            return format!("get_first_key({record}, {key})");
        }
        writer.hit("field get_first_key with default");
        let default = default(writer, place);
        return format!("get_first_key({record}, {key}, {default})");
    }
    let mut text = record;
    for (index, key) in place.path.iter().enumerate() {
        let key = literals::string(key);
        text = if index < last {
            object(writer, &text, &key)
        } else {
            value(writer, &text, &key, place)
        };
    }
    text
}

fn object(writer: &mut Writer<'_>, base: &str, key: &str) -> String {
    match writer.rng.below(100) {
        0..40 => {
            writer.hit("field [] in object");
            format!("{base}[{key}]")
        }
        40..80 => {
            writer.hit("field get {} in object");
            format!("{base}.get({key}, {{}})")
        }
        80..97 => {
            writer.hit("field get or {} in object");
            format!("({base}.get({key}) or {{}})")
        }
        _ => {
            writer.hit("field get in object");
            format!("{base}.get({key})")
        }
    }
}

fn value(writer: &mut Writer<'_>, base: &str, key: &str, place: &Place) -> String {
    match writer.rng.below(100) {
        0..50 => {
            writer.hit("field []");
            format!("{base}[{key}]")
        }
        50..58 => {
            writer.hit("field get");
            format!("{base}.get({key})")
        }
        58..90 => {
            writer.hit("field get with default");
            let default = default(writer, place);
            format!("{base}.get({key}, {default})")
        }
        _ => {
            writer.hit("field get or default");
            let default = default(writer, place);
            format!("({base}.get({key}) or {default})")
        }
    }
}

fn default(writer: &mut Writer<'_>, place: &Place) -> String {
    let text = match writer.rng.below(4) {
        0 => writer.rng.pick(&place.pool),
        _ => literals::json(&mut writer.rng, place.kind),
    };
    match place.kind {
        crate::fields::Kind::Dicts => "[]".to_owned(),
        _ => literals::python(&text),
    }
}
