//! `ParseResult`, `SplitResult`, `DefragResult`: named tuples of texts, and of bytes for addresses that are none.

use bumpalo::collections::Vec as BumpVec;

use super::split::Split;
use super::{join, text};
use crate::cx::{Cx, R};
use crate::eval;
use crate::obj::{Dict, Obj};
use crate::registry::{Args, ClassAttr, Native, NativeClass};
use crate::text as shown;
use crate::types::ExcKind;

/// Which of the named tuples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Defrag,
    Split,
    Parse,
}

impl Kind {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Defrag => &["url", "fragment"],
            Self::Split => &["scheme", "netloc", "path", "query", "fragment"],
            Self::Parse => &["scheme", "netloc", "path", "params", "query", "fragment"],
        }
    }
}

const fn class_of(name: &'static str, new: crate::registry::CallFn) -> NativeClass {
    NativeClass {
        module: super::MODULE,
        name,
        bases: &["tuple"],
        new,
        attr: no_attribute,
    }
}

fn no_attribute(_name: &str) -> Option<ClassAttr> {
    None
}

static DEFRAG: NativeClass = class_of("DefragResult", |cx, args| new(cx, args, Kind::Defrag));
static SPLIT: NativeClass = class_of("SplitResult", |cx, args| new(cx, args, Kind::Split));
static PARSE: NativeClass = class_of("ParseResult", |cx, args| new(cx, args, Kind::Parse));
static SPLIT_BYTES: NativeClass = class_of("SplitResultBytes", no_bytes);
static PARSE_BYTES: NativeClass = class_of("ParseResultBytes", no_bytes);

/// The class of this name.
pub(super) fn class(name: &str) -> Option<&'static NativeClass> {
    [&DEFRAG, &SPLIT, &PARSE, &SPLIT_BYTES, &PARSE_BYTES]
        .into_iter()
        .find(|class| class.name == name)
}

fn no_bytes<'a>(cx: &Cx<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("the parts of an address in bytes"))
}

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, kind: Kind) -> R<'a> {
    let names = kind.fields();
    if args.pos.len() + args.kw.len() != names.len() {
        return Err(cx.leave("the parts of an address that do not fit"));
    }
    let mut items = BumpVec::with_capacity_in(names.len(), cx.bump);
    for (place, name) in names.iter().enumerate() {
        match args.pos.get(place).copied().or_else(|| args.named(name)) {
            Some(value @ Obj::Str(_)) => items.push(value),
            _ => return Err(cx.leave("the parts of an address that do not fit")),
        }
    }
    Ok(Parsed::of(cx, kind, items.into_bump_slice()))
}

/// One of the named tuples.
pub(super) struct Parsed<'a> {
    kind: Kind,
    /// All items are empty bytes.
    is_bytes: bool,
    items: &'a [Obj<'a>],
}

impl<'a> Parsed<'a> {
    /// Of parts.
    pub(super) fn object(cx: &Cx<'a>, kind: Kind, parts: &Split<'a>) -> Obj<'a> {
        let all = [
            ("scheme", parts.scheme),
            ("netloc", parts.netloc),
            ("path", parts.path),
            ("params", parts.params),
            ("query", parts.query),
            ("fragment", parts.fragment),
        ];
        let kept = all
            .into_iter()
            .filter(|(name, _)| kind.fields().contains(name))
            .map(|(_, part)| Obj::Str(part));
        Self::of(cx, kind, BumpVec::from_iter_in(kept, cx.bump).into_bump_slice())
    }

    /// Of texts, one for each field.
    pub(super) fn of(cx: &Cx<'a>, kind: Kind, items: &'a [Obj<'a>]) -> Obj<'a> {
        let made: &'a Self = cx.bump.alloc(Self {
            kind,
            is_bytes: false,
            items,
        });
        Obj::Native(made)
    }

    /// What an address that is none has.
    pub(super) fn empty_bytes(cx: &Cx<'a>, kind: Kind) -> Obj<'a> {
        const NOTHING: &[u8] = &[];
        let made: &'a Self = cx.bump.alloc(Self {
            kind,
            is_bytes: true,
            items: cx
                .bump
                .alloc_slice_fill_copy(kind.fields().len(), Obj::Bytes(NOTHING)),
        });
        Obj::Native(made)
    }

    fn field(&self, name: &str) -> Option<Obj<'a>> {
        let place = self.kind.fields().iter().position(|known| *known == name)?;
        self.items.get(place).copied()
    }

    /// What is before and after the last `@`.
    fn netloc(&self) -> (Option<&'a str>, &'a str) {
        match self.field("netloc") {
            Some(Obj::Str(netloc)) => match netloc.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, netloc),
            },
            _ => (None, ""),
        }
    }

    fn host_and_port(&self) -> (&'a str, &'a str) {
        let (_, host) = self.netloc();
        match host.split_once('[') {
            Some((_, inside)) => {
                let (host, after) = inside.split_once(']').unwrap_or((inside, ""));
                (host, after.split_once(':').map_or("", |(_, port)| port))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        }
    }

    fn hostname(&self, cx: &Cx<'a>) -> R<'a> {
        let (host, _) = self.host_and_port();
        if host.is_empty() {
            return Ok(Obj::None);
        }
        let end = host.find('%').unwrap_or(host.len());
        let (name, zone) = host.split_at(end);
        if !name.is_ascii() {
            return Err(cx.leave("a host that is not ASCII"));
        }
        if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Ok(Obj::Str(host));
        }
        cx.str(&[&name.to_ascii_lowercase(), zone].concat())
    }

    fn port(&self, cx: &Cx<'a>) -> R<'a> {
        let (_, port) = self.host_and_port();
        if port.is_empty() {
            return Ok(Obj::None);
        }
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            // Longer ones are refused by `int` itself in some releases.
            if port.len() > 4000 {
                return Err(cx.leave("a port of many digits"));
            }
            return match port.trim_start_matches('0').len() {
                0..=5 => match port.parse::<i64>() {
                    Ok(number) if number <= 65535 => Ok(Obj::Int(number)),
                    _ => Err(cx.value_error(format_args!("Port out of range 0-65535"))),
                },
                _ => Err(cx.value_error(format_args!("Port out of range 0-65535"))),
            };
        }
        // Until 3.9, whatever `int` reads was a port.
        let reads_more = cx.program.version.minor < 10 || super::is_early(cx);
        if reads_more && !port.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return Err(cx.leave("an unusual port"));
        }
        let port = shown::repr(cx, Obj::Str(port))?;
        Err(cx.value_error(format_args!("Port could not be cast to integer value as {port}")))
    }

    fn user(&self, name: &str) -> Obj<'a> {
        let (Some(user), _) = self.netloc() else {
            return Obj::None;
        };
        match (name, user.split_once(':')) {
            ("username", None) => Obj::Str(user),
            ("username", Some((user, _))) => Obj::Str(user),
            (_, Some((_, password))) => Obj::Str(password),
            (_, None) => Obj::None,
        }
    }

    fn geturl(&'a self, cx: &Cx<'a>) -> R<'a> {
        if self.is_bytes {
            return Ok(Obj::Bytes(&[]));
        }
        let text_of = |name: &str| match self.field(name) {
            Some(Obj::Str(text)) => text,
            _ => "",
        };
        if self.kind == Kind::Defrag {
            let (url, fragment) = (text_of("url"), text_of("fragment"));
            return match fragment {
                "" => Ok(Obj::Str(url)),
                _ => cx.str(&[url, "#", fragment].concat()),
            };
        }
        join::unsplit(
            cx,
            &Split {
                scheme: text_of("scheme"),
                netloc: text_of("netloc"),
                path: text_of("path"),
                params: text_of("params"),
                query: text_of("query"),
                fragment: text_of("fragment"),
            },
        )
    }

    fn as_dict(&self, cx: &Cx<'a>) -> R<'a> {
        let made = Dict::empty(cx);
        if let Obj::Dict(dict) = made {
            for (name, item) in self.kind.fields().iter().zip(self.items) {
                dict.insert(cx, Obj::Str(name), *item)?;
            }
        }
        Ok(made)
    }

    fn replaced(&self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
        let known = |name: &str| self.kind.fields().contains(&name);
        if self.is_bytes || !args.pos.is_empty() || !args.kw.iter().all(|(name, _)| known(name)) {
            return Err(cx.leave("parts of an address that are replaced unusually"));
        }
        let mut items = BumpVec::from_iter_in(self.items.iter().copied(), cx.bump);
        for (item, name) in items.iter_mut().zip(self.kind.fields()) {
            if let Some(value) = args.named(name) {
                match text(cx, value)? {
                    Some(text) => *item = Obj::Str(text),
                    None => return Err(cx.leave("a part of an address that is no text")),
                }
            }
        }
        Ok(Self::of(cx, self.kind, items.into_bump_slice()))
    }

    /// Attributes that CPython's classes have and that are not known here.
    fn is_unknown(name: &str) -> bool {
        name.starts_with('_') || matches!(name, "encode" | "decode")
    }
}

impl<'a> Native<'a> for Parsed<'a> {
    fn class(&self) -> &'static NativeClass {
        match (self.kind, self.is_bytes) {
            (Kind::Defrag, _) => &DEFRAG,
            (Kind::Split, false) => &SPLIT,
            (Kind::Split, true) => &SPLIT_BYTES,
            (Kind::Parse, false) => &PARSE,
            (Kind::Parse, true) => &PARSE_BYTES,
        }
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        if let Some(item) = self.field(name) {
            return Ok(Some(item));
        }
        let has_host = self.kind != Kind::Defrag;
        Ok(Some(match name {
            "hostname" if has_host => self.hostname(cx)?,
            "port" if has_host => self.port(cx)?,
            "username" | "password" if has_host => self.user(name),
            "_fields" => {
                let names = self.kind.fields().iter().map(|name| Obj::Str(name));
                Obj::Tuple(BumpVec::from_iter_in(names, cx.bump).into_bump_slice())
            }
            "geturl" | "count" | "index" => return Err(cx.leave("a method of an address, not called")),
            name if Self::is_unknown(name) => return Ok(None),
            name => {
                let class = self.class().name;
                return Err(cx.raise(
                    ExcKind::AttributeError,
                    format_args!("'{class}' object has no attribute '{name}'"),
                ));
            }
        }))
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let has_none = args.pos.is_empty() && args.kw.is_empty();
        Some(match name {
            "geturl" if has_none => self.geturl(cx),
            "_asdict" if has_none => self.as_dict(cx),
            "_replace" => self.replaced(cx, args),
            "count" => eval::call_method(cx, Obj::Tuple(self.items), "count", args),
            "index" => eval::call_method(cx, Obj::Tuple(self.items), "index", args),
            _ => return None,
        })
    }

    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        Ok(None)
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let mut out = format!("{}(", self.class().name);
        for (place, (name, item)) in self.kind.fields().iter().zip(self.items).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            out.push_str(comma);
            out.push_str(name);
            out.push('=');
            out.push_str(shown::repr(cx, *item)?);
        }
        out.push(')');
        cx.text(&out)
    }

    fn as_tuple(&'a self) -> Option<&'a [Obj<'a>]> {
        Some(self.items)
    }
}
