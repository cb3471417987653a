//! Taking addresses apart.

use super::result::{Kind, Parsed};
use super::{is_early, is_plain, text};
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::modules::ipaddress::parse;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

/// The parts of an address.
#[derive(Clone, Copy)]
pub(super) struct Split<'a> {
    pub(super) scheme: &'a str,
    pub(super) netloc: &'a str,
    pub(super) path: &'a str,
    pub(super) params: &'a str,
    pub(super) query: &'a str,
    pub(super) fragment: &'a str,
}

/// Schemes whose last part of a path may have parameters after `;`. `rtsps` came with 3.11.
const WITH_PARAMS: [&str; 16] = [
    "", "ftp", "hdl", "prospero", "http", "imap", "https", "shttp", "rtsp", "rtsps", "rtspu", "sip", "sips",
    "mms", "sftp", "tel",
];

/// `urlsplit(url, scheme='', allow_fragments=True)`
pub(super) fn urlsplit<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    parsed(cx, args, Kind::Split)
}

/// `urlparse(url, scheme='', allow_fragments=True)`
pub(super) fn urlparse<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    parsed(cx, args, Kind::Parse)
}

fn parsed<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, kind: Kind) -> R<'a> {
    let [url, scheme, fragments] = bind(cx, args, ["url", "scheme", "allow_fragments"], 1)?;
    let url = ops::resolve(cx, url.unwrap_or(Obj::None))?;
    let scheme = match scheme {
        None => "",
        Some(scheme) => match text(cx, scheme)? {
            Some(scheme) => scheme,
            None => return Err(cx.leave("a scheme that is no text")),
        },
    };
    let fragments = match fragments {
        None => true,
        Some(fragments) => match ops::resolve(cx, fragments)? {
            flag @ (Obj::None | Obj::Bool(_) | Obj::Int(_)) => ops::truthy(cx, flag)?,
            // Some releases look for it in a cache, which asks for its hash.
            _ => return Err(cx.leave("allow_fragments that is no flag")),
        },
    };
    let Obj::Str(url) = url else {
        return of_no_text(cx, url, scheme, kind);
    };
    let mut parts = split(cx, url, scheme, fragments)?;
    if kind == Kind::Parse {
        split_params(cx, &mut parts)?;
    }
    Ok(Parsed::object(cx, kind, &parts))
}

/// What is false counts as empty bytes; what is true is asked to decode itself.
fn of_no_text<'a>(cx: &Cx<'a>, url: Obj<'a>, scheme: &str, kind: Kind) -> R<'a> {
    let is_hashable = matches!(url, Obj::None | Obj::Bool(_) | Obj::Int(_) | Obj::Float(_));
    // `urlsplit` looks into its cache first, since 3.11 one that wants a hash.
    if !scheme.is_empty() || !is_plain(url) || !is_hashable && kind == Kind::Split {
        return Err(cx.leave("an address that is no text"));
    }
    if !ops::truthy(cx, url)? {
        return Ok(Parsed::empty_bytes(cx, kind));
    }
    let class = ops::type_name(cx, url);
    Err(cx.raise(
        ExcKind::AttributeError,
        format_args!("'{class}' object has no attribute 'decode'"),
    ))
}

/// Without the characters that browsers leave out.
fn cleaned<'a>(cx: &Cx<'a>, text: &'a str, both_ends: bool) -> R<'a, &'a str> {
    let is_blank = |character: char| character <= ' ';
    let is_odd = text.starts_with(is_blank)
        || both_ends && text.ends_with(is_blank)
        || text.contains(['\t', '\r', '\n']);
    if !is_odd {
        return Ok(text);
    }
    if is_early(cx) {
        return Err(cx.leave("an address with blanks, in an early release"));
    }
    let mut text = text.trim_start_matches(is_blank);
    if both_ends {
        text = text.trim_end_matches(is_blank);
    }
    if text.contains(['\t', '\r', '\n']) {
        cx.reserve(text.len())?;
        let kept = text.chars().filter(|one| !matches!(one, '\t' | '\r' | '\n'));
        return Ok(bumpalo::collections::String::from_iter_in(kept, cx.bump).into_bump_str());
    }
    Ok(text)
}

/// The five parts that `urlsplit` finds; `params` stays empty.
pub(super) fn split<'a>(cx: &Cx<'a>, url: &'a str, scheme: &'a str, fragments: bool) -> R<'a, Split<'a>> {
    cx.reserve(url.len())?;
    let mut scheme = cleaned(cx, scheme, true)?;
    let mut rest = cleaned(cx, url, false)?;
    if let Some((own, after)) = rest.split_once(':')
        && is_scheme(cx, own, after)?
    {
        scheme = match own.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => cx.text(&own.to_ascii_lowercase())?,
            false => own,
        };
        rest = after;
    }
    let mut netloc = "";
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        (netloc, rest) = after.split_at(end);
        check_host(cx, netloc)?;
    }
    let mut fragment = "";
    if fragments {
        (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok(Split {
        scheme,
        netloc,
        path,
        params: "",
        query,
        fragment,
    })
}

/// Whether what is before the first `:` is a scheme.
fn is_scheme<'a>(cx: &Cx<'a>, own: &str, after: &str) -> R<'a, bool> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let Some(first) = own.bytes().next() else {
        return Ok(false);
    };
    if !own.bytes().all(allowed) {
        return Ok(false);
    }
    let minor = cx.program.version.minor;
    if !first.is_ascii_alphabetic() && minor >= 11 {
        if is_early(cx) {
            return Err(cx.leave("an unusual scheme, in an early release"));
        }
        return Ok(false);
    }
    // Before 3.9, digits alone made it a host and a port.
    let is_port = !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit());
    Ok(!(minor == 8 && own != "http" && is_port))
}

/// Refuses brackets around something that is no IPv6 address; which ones are refused differs by release.
fn check_host<'a>(cx: &Cx<'a>, netloc: &str) -> R<'a, ()> {
    match (netloc.contains('['), netloc.contains(']')) {
        (false, false) => {}
        (true, true) if is_usual_v6(cx, netloc) => {}
        (true, true) => return Err(cx.leave("brackets in a host")),
        _ => return Err(cx.value_error(format_args!("Invalid IPv6 URL"))),
    }
    // CPython refuses characters that contain a delimiter once they are normalised.
    match netloc.is_ascii() {
        true => Ok(()),
        false => Err(cx.leave("a host that is not ASCII")),
    }
}

/// `[user@][address][:port]`, which all releases accept.
fn is_usual_v6(cx: &Cx<'_>, netloc: &str) -> bool {
    let host = netloc.rsplit_once('@').map_or(netloc, |(_, host)| host);
    let Some((address, port)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) else {
        return false;
    };
    let brackets = netloc.bytes().filter(|byte| matches!(byte, b'[' | b']')).count();
    brackets == 2
        && (port.is_empty() || port.starts_with(':'))
        && !address.contains(['%', '/'])
        && parse::v6(cx.program.version, address).is_ok()
}

/// Moves the parameters of the last part of the path out of it.
pub(super) fn split_params<'a>(cx: &Cx<'a>, parts: &mut Split<'a>) -> R<'a, ()> {
    if !parts.path.contains(';') || !WITH_PARAMS.contains(&parts.scheme) {
        return Ok(());
    }
    if parts.scheme == "rtsps" {
        return Err(cx.leave("parameters of rtsps"));
    }
    let last = parts.path.rfind('/').unwrap_or(0);
    let Some((before, params)) = parts.path.get(last..).and_then(|last| last.split_once(';')) else {
        return Ok(());
    };
    parts.path = parts.path.get(..last + before.len()).unwrap_or_default();
    parts.params = params;
    Ok(())
}
