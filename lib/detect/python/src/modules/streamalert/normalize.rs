//! `Normalizer` and `ThreatIntel`.

use crate::cx::{Cx, R};
use crate::eval;
use crate::iter;
use crate::modules::args::bind;
use crate::obj::{Dict, Obj, Set};
use crate::ops;
use crate::registry::{Args, BuiltinFn, ClassAttr, NativeClass};

/// Where the classifier puts normalized values.
pub(super) const NORMALIZATION_KEY: &str = "streamalert_normalization";

/// `streamalert.shared.normalize.Normalizer`
pub(super) static NORMALIZER: NativeClass = NativeClass {
    module: "streamalert.shared.normalize",
    name: "Normalizer",
    bases: &[],
    new: no_instance,
    attr: |name| match name {
        "get_values_for_normalized_type" => Some(ClassAttr::Function(&VALUES)),
        "NORMALIZATION_KEY" => Some(ClassAttr::Value(|_, _| Ok(Obj::Str(NORMALIZATION_KEY)))),
        "RECORD_ID_KEY" => Some(ClassAttr::Value(|_, _| Ok(Obj::Str("streamalert_record_id")))),
        _ => None,
    },
};

/// `streamalert.rules_engine.threat_intel.ThreatIntel`
pub(super) static THREAT_INTEL: NativeClass = NativeClass {
    module: "streamalert.rules_engine.threat_intel",
    name: "ThreatIntel",
    bases: &[],
    new: no_instance,
    attr: |name| match name {
        "IOC_KEY" => Some(ClassAttr::Value(|_, _| Ok(Obj::Str("streamalert:ioc")))),
        _ => None,
    },
};

static VALUES: BuiltinFn = BuiltinFn {
    module: "streamalert.shared.normalize",
    name: "Normalizer.get_values_for_normalized_type",
    call: values,
    pure: true,
};

fn no_instance<'a>(cx: &Cx<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("an instance of a class of StreamAlert's"))
}

/// Class methods come with their class when they were bound by name (`f = Normalizer.get_…`).
pub(super) fn without_class<'s, 'a>(args: &Args<'s, 'a>) -> Args<'s, 'a> {
    let pos = match args.pos {
        [Obj::NativeClass(_), rest @ ..] => rest,
        pos => pos,
    };
    Args { pos, kw: args.kw }
}

fn values<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [record, datatype] = bind(cx, &without_class(args), ["record", "datatype"], 2)?;
    of_type(cx, record.unwrap_or(Obj::None), datatype.unwrap_or(Obj::None))
}

/// `Normalizer.get_values_for_normalized_type(record, datatype)`
pub(super) fn of_type<'a>(cx: &Cx<'a>, record: Obj<'a>, datatype: Obj<'a>) -> R<'a> {
    let whole = [Obj::Str(NORMALIZATION_KEY), Dict::empty(cx)];
    let types = eval::call_method(cx, record, "get", &Args::positional(&whole))?;
    let entries = eval::call_method(cx, types, "get", &Args::positional(&[datatype]))?;
    if !ops::truthy(cx, entries)? {
        return Ok(Obj::None);
    }
    let found = Set::empty(cx, false);
    let mut entries = iter::iter(cx, entries)?;
    while let Some(entry) = entries.next(cx)? {
        let values = eval::call_method(cx, entry, "get", &Args::positional(&[Obj::Str("values")]))?;
        let mut values = iter::iter(cx, values)?;
        while let Some(value) = values.next(cx)? {
            found.add(cx, value)?;
        }
    }
    Ok(Obj::Set(found))
}
