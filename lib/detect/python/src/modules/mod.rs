//! Modules of the standard library and of `streamalert`, as far as rules use them. One file, or folder, per module;
//! a module enters by one line of [`MODULES`].

mod args;
mod base64;
pub(crate) mod collections;
mod copy;
pub mod datetime;
pub mod fnmatch;
mod functools;
mod hashlib;
mod ipaddress;
mod itertools;
pub mod json;
mod logging;
mod math;
mod operator;
pub mod re;
pub mod streamalert;
mod string;
mod time;
mod urllib;

use crate::program::Const;
use crate::registry::BuiltinFn;

/// What a module calls a name; `None` for one that we do not know.
type Lookup = fn(&str) -> Option<Const>;

/// The modules, one a line, in order of name. A name is looked up in all lines of its module.
static MODULES: &[(&str, Lookup)] = &[
    ("collections", collections::lookup),
    ("datetime", datetime::lookup),
    ("functools", functools::lookup),
    ("ipaddress", ipaddress::lookup),
    ("itertools", itertools::lookup),
    ("fnmatch", fnmatch::lookup),
    ("json", json::lookup),
    ("json.decoder", json::decoder),
    ("logging", logging::lookup),
    ("base64", base64::lookup),
    ("binascii", base64::binascii),
    ("copy", copy::lookup),
    ("hashlib", hashlib::lookup),
    ("math", math::lookup),
    ("operator", operator::lookup),
    ("re", re::lookup),
    ("string", string::lookup),
    ("rules.helpers.base", streamalert::helpers),
    ("streamalert.rules_engine.threat_intel", streamalert::threat_intel),
    (
        "streamalert.shared.lookup_tables.core",
        streamalert::lookup_tables,
    ),
    ("streamalert.shared.normalize", streamalert::normalize),
    ("streamalert.shared.utils", streamalert::utils),
    ("time", time::lookup),
    ("urllib", urllib::package),
    ("urllib.parse", urllib::lookup),
];

/// What `module` calls `name` (qualified: `datetime.now` of module `datetime` is `datetime.datetime.now`'s class
/// attribute and not asked for here). `None`: not known, which is a fallback point.
#[must_use]
pub fn lookup(module: &str, name: &str) -> Option<Const> {
    MODULES
        .iter()
        .filter(|(known, _)| *known == module)
        .find_map(|(_, lookup)| lookup(name))
}

/// The class of functions that remember their answers.
#[must_use]
pub fn cached() -> Const {
    Const::NativeClass(&functools::CACHED)
}

/// Whether this is a module that we know something of.
#[must_use]
pub fn is_known(module: &str) -> bool {
    MODULES.iter().any(|(known, _)| *known == module)
}

/// The function of this name in a module's table.
fn function(functions: &'static [BuiltinFn], name: &str) -> Option<Const> {
    functions
        .iter()
        .find(|function| function.name == name)
        .map(Const::Builtin)
}
