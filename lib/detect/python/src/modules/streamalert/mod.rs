//! The API that rules import from `streamalert`, as our package for CPython defines it.

mod base;
mod keys;
mod lookup_tables;
mod network;
mod network_set;
mod normalize;

pub use network_set::NetworkSet;

use crate::program::Const;
use crate::registry::{BuiltinFn, CallFn};

const fn function(module: &'static str, name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module,
        name,
        call,
        pure: true,
    }
}

const UTILS: &str = "streamalert.shared.utils";

static FUNCTIONS: &[BuiltinFn] = &[
    function(UTILS, "get_first_key", keys::get_first_key),
    function(UTILS, "get_keys", keys::get_keys),
    function(UTILS, "in_network", network::in_network),
    function(UTILS, "valid_ip", network::valid_ip),
];

/// `streamalert.shared.utils`.
pub(super) fn utils(name: &str) -> Option<Const> {
    match name {
        "Normalizer" => normalize(name),
        _ => super::function(FUNCTIONS, name),
    }
}

/// `streamalert.shared.normalize`.
pub(super) fn normalize(name: &str) -> Option<Const> {
    let text = |text: &str| Some(Const::Str(text.into()));
    match name {
        "Normalizer" => Some(Const::NativeClass(&normalize::NORMALIZER)),
        "CONST_FUNCTION" => text("function"),
        "CONST_PATH" => text("path"),
        "CONST_CONDITION" => text("condition"),
        "CONST_VALUES" => text("values"),
        _ => None,
    }
}

/// `streamalert.shared.lookup_tables.core`.
pub(super) fn lookup_tables(name: &str) -> Option<Const> {
    match name {
        "LookupTables" => Some(Const::NativeClass(&lookup_tables::TABLES)),
        _ => None,
    }
}

/// `rules.helpers.base`, where ours stands in for a repository's.
pub(super) fn helpers(name: &str) -> Option<Const> {
    super::function(base::FUNCTIONS, name).or_else(|| utils(name))
}

/// `streamalert.rules_engine.threat_intel`.
pub(super) fn threat_intel(name: &str) -> Option<Const> {
    match name {
        "ThreatIntel" => Some(Const::NativeClass(&normalize::THREAT_INTEL)),
        _ => None,
    }
}
