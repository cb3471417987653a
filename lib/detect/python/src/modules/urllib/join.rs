//! Putting addresses together.

use bumpalo::collections::Vec as BumpVec;

use super::result::{Kind, Parsed};
use super::split::{Split, split, split_params};
use super::{is_known_release, text};
use crate::cx::{Cx, R};
use crate::iter;
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

/// Schemes of addresses that others can be relative to.
const RELATIVE: [&str; 19] = [
    "", "ftp", "http", "gopher", "nntp", "imap", "wais", "file", "https", "shttp", "mms", "prospero", "rtsp",
    "rtspu", "sftp", "svn", "svn+ssh", "ws", "wss",
];
/// Schemes of addresses with a host.
const WITH_HOST: [&str; 24] = [
    "", "ftp", "http", "gopher", "nntp", "telnet", "imap", "wais", "file", "mms", "https", "shttp", "snews",
    "prospero", "rtsp", "rtspu", "rsync", "svn", "svn+ssh", "sftp", "nfs", "git", "git+ssh", "ws",
];

fn has_host(scheme: &str) -> bool {
    WITH_HOST.contains(&scheme) || scheme == "wss"
}

/// Schemes that joined the lists between releases.
fn check_scheme<'a>(cx: &Cx<'a>, scheme: &str) -> R<'a, ()> {
    match scheme {
        "rtsps" | "itms-services" => Err(cx.leave("a scheme that not all releases know")),
        _ => Ok(()),
    }
}

/// `urldefrag(url)`
pub(super) fn urldefrag<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [url] = bind(cx, args, ["url"], 1)?;
    let Some(url) = text(cx, url.unwrap_or(Obj::None))? else {
        return Err(cx.leave("an address that is no text"));
    };
    let (url, fragment) = match url.contains('#') {
        false => (Obj::Str(url), ""),
        true => {
            let mut parts = split(cx, url, "", true)?;
            split_params(cx, &mut parts)?;
            let fragment = std::mem::take(&mut parts.fragment);
            (unsplit(cx, &parts)?, fragment)
        }
    };
    Ok(Parsed::of(
        cx,
        Kind::Defrag,
        cx.bump.alloc([url, Obj::Str(fragment)]),
    ))
}

/// `urlunsplit(components)`
pub(super) fn urlunsplit<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [scheme, netloc, path, query, fragment] = components(cx, args)?;
    unsplit(
        cx,
        &Split {
            scheme,
            netloc,
            path,
            params: "",
            query,
            fragment,
        },
    )
}

/// `urlunparse(components)`
pub(super) fn urlunparse<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [scheme, netloc, path, params, query, fragment] = components(cx, args)?;
    unsplit(
        cx,
        &Split {
            scheme,
            netloc,
            path,
            params,
            query,
            fragment,
        },
    )
}

fn components<'a, const N: usize>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, [&'a str; N]> {
    let [components] = bind(cx, args, ["components"], 1)?;
    let items = match ops::resolve(cx, components.unwrap_or(Obj::None))? {
        value @ (Obj::Tuple(_) | Obj::ConstTuple(_) | Obj::List(_) | Obj::ConstList(_) | Obj::Native(_)) => {
            iter::collect(cx, value)?
        }
        _ => return Err(cx.leave("parts of an address in something unusual")),
    };
    let mut texts = [""; N];
    for (place, item) in texts.iter_mut().zip(&items) {
        match text(cx, *item)? {
            Some(text) => *place = text,
            None => return Err(cx.leave("a part of an address that is no text")),
        }
    }
    if items.len() == N {
        return Ok(texts);
    }
    Err(cx.leave("a wrong number of parts of an address"))
}

/// The address of its parts.
pub(super) fn unsplit<'a>(cx: &Cx<'a>, parts: &Split<'a>) -> R<'a> {
    let Split {
        scheme,
        netloc,
        path,
        params,
        query,
        fragment,
    } = *parts;
    check_scheme(cx, scheme)?;
    let lengths = [scheme, netloc, path, params, query, fragment].map(str::len);
    cx.reserve(lengths.iter().sum::<usize>() + 8)?;
    let mut rest = bumpalo::collections::String::from_str_in(path, cx.bump);
    if !params.is_empty() {
        rest.push(';');
        rest.push_str(params);
    }
    let mut out = bumpalo::collections::String::new_in(cx.bump);
    if !scheme.is_empty() {
        out.push_str(scheme);
        out.push(':');
    }
    if !netloc.is_empty() {
        out.push_str("//");
        out.push_str(netloc);
        if !rest.is_empty() && !rest.starts_with('/') {
            out.push('/');
        }
    } else {
        out.push_str(without_host(cx, scheme, &rest)?);
    }
    out.push_str(&rest);
    for (mark, part) in [('?', query), ('#', fragment)] {
        if !part.is_empty() {
            out.push(mark);
            out.push_str(part);
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}

/// What stands where the host would: it was changed in 3.12 and 3.13, and where the change makes a difference only the
/// releases that were looked at are known.
fn without_host<'a>(cx: &Cx<'a>, scheme: &str, path: &str) -> R<'a, &'static str> {
    let is_hosted = !scheme.is_empty() && has_host(scheme);
    let before = match (is_hosted && !path.starts_with("//"), path) {
        (false, _) => "",
        (true, path) if path.is_empty() || path.starts_with('/') => "//",
        (true, _) => "///",
    };
    let after = if path.starts_with("//") || is_hosted && (path.is_empty() || path.starts_with('/')) {
        "//"
    } else {
        ""
    };
    match cx.program.version.minor {
        _ if before == after => Ok(after),
        _ if !is_known_release(cx) => Err(cx.leave("an address without host")),
        ..=12 => Ok(before),
        _ => Ok(after),
    }
}

/// `urljoin(base, url, allow_fragments=True)`
pub(super) fn urljoin<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [base, url, fragments] = bind(cx, args, ["base", "url", "allow_fragments"], 2)?;
    let base = ops::resolve(cx, base.unwrap_or(Obj::None))?;
    let url = ops::resolve(cx, url.unwrap_or(Obj::None))?;
    if !ops::truthy(cx, base)? {
        return Ok(url);
    }
    if !ops::truthy(cx, url)? {
        return Ok(base);
    }
    let (Obj::Str(base), Obj::Str(url)) = (base, url) else {
        return Err(cx.leave("an address that is no text"));
    };
    let fragments = match fragments {
        None => true,
        Some(fragments) => ops::truthy(cx, fragments)?,
    };
    let mut from = split(cx, base, "", fragments)?;
    split_params(cx, &mut from)?;
    let mut to = split(cx, url, from.scheme, fragments)?;
    split_params(cx, &mut to)?;
    check_scheme(cx, to.scheme)?;
    if to.scheme != from.scheme || !RELATIVE.contains(&to.scheme) {
        return Ok(Obj::Str(url));
    }
    if has_host(to.scheme) {
        if !to.netloc.is_empty() {
            return unsplit(cx, &to);
        }
        to.netloc = from.netloc;
    }
    if to.path.is_empty() && to.params.is_empty() {
        to.path = from.path;
        to.params = from.params;
        if to.query.is_empty() {
            to.query = from.query;
        }
        return unsplit(cx, &to);
    }
    to.path = resolved(cx, from.path, to.path)?;
    unsplit(cx, &to)
}

/// A path seen from another.
fn resolved<'a>(cx: &Cx<'a>, base: &'a str, path: &'a str) -> R<'a, &'a str> {
    cx.reserve(base.len() + path.len())?;
    let mut segments: BumpVec<'a, &'a str> = BumpVec::new_in(cx.bump);
    if path.starts_with('/') {
        segments.extend(path.split('/'));
    } else {
        segments.extend(base.split('/'));
        if segments.last().is_some_and(|last| !last.is_empty()) {
            segments.pop();
        }
        segments.extend(path.split('/'));
        let last = segments.len().saturating_sub(1);
        let mut place = 0;
        segments.retain(|segment| {
            let at = place;
            place += 1;
            at == 0 || at == last || !segment.is_empty()
        });
    }
    let mut kept: BumpVec<'a, &'a str> = BumpVec::new_in(cx.bump);
    for segment in &segments {
        cx.tick()?;
        match *segment {
            ".." => {
                kept.pop();
            }
            "." => {}
            segment => kept.push(segment),
        }
    }
    if matches!(segments.last(), Some(&("." | ".."))) {
        kept.push("");
    }
    let joined = kept.join("/");
    if joined.is_empty() {
        return Ok("/");
    }
    cx.text(&joined)
}
