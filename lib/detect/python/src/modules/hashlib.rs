//! `hashlib`. A hash object collects its bytes in the arena and is computed when it is asked for.

use std::cell::Cell;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::base64::hex_digits;
use crate::builtins::{misfit, only};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn, Native, NativeClass};

/// The functions that every CPython has.
#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    const fn sizes(self) -> (i64, i64) {
        match self {
            Self::Md5 => (16, 64),
            Self::Sha1 => (20, 64),
            Self::Sha224 => (28, 64),
            Self::Sha256 => (32, 64),
            Self::Sha384 => (48, 128),
            Self::Sha512 => (64, 128),
        }
    }

    fn digest<'a>(self, cx: &Cx<'a>, data: &[u8]) -> R<'a, &'a [u8]> {
        // Some 2 ns a byte.
        cx.use_fuel(data.len() as u64 / 8)?;
        Ok(match self {
            Self::Md5 => cx.bump.alloc_slice_copy(&Md5::digest(data)),
            Self::Sha1 => cx.bump.alloc_slice_copy(&Sha1::digest(data)),
            Self::Sha224 => cx.bump.alloc_slice_copy(&Sha224::digest(data)),
            Self::Sha256 => cx.bump.alloc_slice_copy(&Sha256::digest(data)),
            Self::Sha384 => cx.bump.alloc_slice_copy(&Sha384::digest(data)),
            Self::Sha512 => cx.bump.alloc_slice_copy(&Sha512::digest(data)),
        })
    }
}

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "hashlib",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("md5", |cx, args| make(cx, args, Algorithm::Md5)),
    function("sha1", |cx, args| make(cx, args, Algorithm::Sha1)),
    function("sha224", |cx, args| make(cx, args, Algorithm::Sha224)),
    function("sha256", |cx, args| make(cx, args, Algorithm::Sha256)),
    function("sha384", |cx, args| make(cx, args, Algorithm::Sha384)),
    function("sha512", |cx, args| make(cx, args, Algorithm::Sha512)),
];

static HASH: NativeClass = NativeClass {
    module: "_hashlib",
    name: "HASH",
    bases: &[],
    new: |cx, _| Err(cx.leave("a hash object made from its class")),
    attr: |_| None,
};

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    super::function(FUNCTIONS, name)
}

struct Hash<'a> {
    algorithm: Algorithm,
    data: Cell<&'a [u8]>,
}

fn make<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, algorithm: Algorithm) -> R<'a> {
    let security = |(name, _): &(&str, Obj<'a>)| *name == "usedforsecurity" && cx.program.version.minor >= 9;
    let data = match args.pos {
        _ if !args.kw.iter().all(security) => return Err(misfit(cx)),
        [] => &[],
        [data] => bytes(cx, *data)?,
        _ => return Err(misfit(cx)),
    };
    Ok(Obj::Native(cx.bump.alloc(Hash {
        algorithm,
        data: Cell::new(data),
    })))
}

fn bytes<'a>(cx: &Cx<'a>, data: Obj<'a>) -> R<'a, &'a [u8]> {
    match ops::resolve(cx, data)? {
        Obj::Bytes(data) => Ok(data),
        Obj::Str(_) if cx.program.version.minor < 9 => {
            Err(cx.type_error(format_args!("Unicode-objects must be encoded before hashing")))
        }
        Obj::Str(_) => Err(cx.type_error(format_args!("Strings must be encoded before hashing"))),
        Obj::Native(_) => Err(cx.leave("the hash of such an object")),
        _ => Err(cx.type_error(format_args!("object supporting the buffer API required"))),
    }
}

impl<'a> Native<'a> for Hash<'a> {
    fn class(&self) -> &'static NativeClass {
        &HASH
    }

    fn attr(&'a self, _cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        let (digest, block) = self.algorithm.sizes();
        Ok(match name {
            "name" => Some(Obj::Str(self.algorithm.name())),
            "digest_size" => Some(Obj::Int(digest)),
            "block_size" => Some(Obj::Int(block)),
            _ => None,
        })
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let digest = || match (args.pos, args.kw) {
            ([], []) => self.algorithm.digest(cx, self.data.get()),
            _ => Err(misfit(cx)),
        };
        Some(match name {
            "digest" => digest().map(Obj::Bytes),
            "hexdigest" => digest().and_then(|digest| hex_digits(cx, digest)).map(Obj::Str),
            "copy" if args.pos.is_empty() && args.kw.is_empty() => Ok(Obj::Native(cx.bump.alloc(Hash {
                algorithm: self.algorithm,
                data: self.data.clone(),
            }))),
            "update" => self.update(cx, args),
            _ => return None,
        })
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a hash object as text"))
    }
}

impl<'a> Hash<'a> {
    fn update(&self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
        let more = bytes(cx, only(cx, args)?)?;
        let before = self.data.get();
        cx.reserve(before.len().saturating_add(more.len()))?;
        let mut all = bumpalo::collections::Vec::with_capacity_in(before.len() + more.len(), cx.bump);
        all.extend_from_slice(before);
        all.extend_from_slice(more);
        self.data.set(all.into_bump_slice());
        Ok(Obj::None)
    }
}
