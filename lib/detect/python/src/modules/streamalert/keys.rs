//! Searching records for keys.

use std::collections::VecDeque;

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::{Kind, NodeRef, key_hash};

use super::normalize::NORMALIZATION_KEY;
use crate::cx::{Cx, R};
use crate::iter;
use crate::modules::args::bind;
use crate::obj::{List, Obj, ViewKind};
use crate::ops;
use crate::registry::Args;

/// `get_first_key(data, search_key, default_value=None)`
pub(super) fn get_first_key<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, key, default] = bind(cx, args, ["data", "search_key", "default_value"], 2)?;
    let found = search(cx, data, key, 1)?;
    Ok(found
        .first()
        .copied()
        .unwrap_or_else(|| default.unwrap_or(Obj::None)))
}

/// `get_keys(data, search_key, max_matches=-1)`
pub(super) fn get_keys<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, key, most] = bind(cx, args, ["data", "search_key", "max_matches"], 2)?;
    let most = match most {
        None => -1,
        Some(Obj::Int(most)) => most,
        Some(_) => return Err(cx.leave("max_matches is no plain integer")),
    };
    let found = search(cx, data, key, most)?;
    Ok(List::object(cx, found))
}

/// Values under a key, breadth first, at most `most` of them when that is positive.
fn search<'a>(
    cx: &Cx<'a>,
    data: Option<Obj<'a>>,
    key: Option<Obj<'a>>,
    most: i64,
) -> R<'a, BumpVec<'a, Obj<'a>>> {
    let mut found = BumpVec::new_in(cx.bump);
    let mut queue = VecDeque::new();
    queue.push_back(ops::resolve(cx, data.unwrap_or(Obj::None))?);
    let key = ops::resolve(cx, key.unwrap_or(Obj::None))?;
    let full = |found: &BumpVec<'a, Obj<'a>>| 0 < most && found.len() as i64 == most;
    let text = match key {
        Obj::Str(text) => Some((key_hash(text.as_bytes()), text)),
        _ => None,
    };
    while let Some(container) = queue.pop_front() {
        cx.tick()?;
        match (container, text) {
            (Obj::NodeDict(node), Some((hash, text))) => {
                let node = cx.node(node);
                if let Some(value) = node.get_hashed(hash, text) {
                    found.push(cx.object(value)?);
                    if full(&found) {
                        break;
                    }
                }
                let mut count = 0;
                for (name, value) in node.members() {
                    count += 1;
                    if is_full_container(value) && !name.is_key(NORMALIZATION_KEY) {
                        queue.push_back(cx.object(value)?);
                    }
                }
                cx.use_fuel(count / 8)?;
            }
            (Obj::NodeList(node), _) => {
                let mut count = 0;
                for value in cx.node(node).items() {
                    count += 1;
                    if is_full_container(value) {
                        queue.push_back(cx.object(value)?);
                    }
                }
                cx.use_fuel(count / 8)?;
            }
            (Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_), _) => {
                if let Some(value) = ops::dict_get(cx, container, key)? {
                    found.push(value);
                    if full(&found) {
                        break;
                    }
                }
                let mut members = iter::members(cx, container, ViewKind::Items);
                while let Some(pair) = members.next(cx)? {
                    let Obj::Tuple([name, value]) = pair else {
                        continue;
                    };
                    if is_searched(cx, *value)? && !ops::eq(cx, *name, Obj::Str(NORMALIZATION_KEY))? {
                        queue.push_back(ops::resolve(cx, *value)?);
                    }
                }
            }
            _ => {
                let mut items = iter::iter(cx, container)?;
                while let Some(value) = items.next(cx)? {
                    if is_searched(cx, value)? {
                        queue.push_back(ops::resolve(cx, value)?);
                    }
                }
            }
        }
    }
    Ok(found)
}

fn is_full_container(value: NodeRef<'_>) -> bool {
    matches!(value.kind(), Kind::Map | Kind::List) && value.is_truthy()
}

fn is_searched<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, bool> {
    match ops::resolve(cx, value)? {
        Obj::NodeDict(_)
        | Obj::ConstDict(_)
        | Obj::Dict(_)
        | Obj::NodeList(_)
        | Obj::ConstList(_)
        | Obj::List(_) => ops::truthy(cx, value),
        _ => Ok(false),
    }
}
