//! The linked objects of the user's rules, for an engine that runs them without CPython.
//!
//! A short-lived worker imports the user's files exactly as a worker of [`crate::PythonPool`] does, with the same
//! guards, and then writes what its rules reach, object by object, as one JSON document. Exporting runs nothing
//! of the user's: types are compared by identity, no attribute is read through a user's class, and only
//! containers of exactly the builtin types are looked into.
//!
//! # The document
//!
//! ```json
//! {"version": 1, "python": [3, 11, 7],
//!  "sources": [{"file": "rules/x.py", "text": "…"}],
//!  "objects": [{"t": "none"}],
//!  "rules": [{"name": "x", "func": 0, "matchers": [], "dynamic_outputs": [], "context": null, "info": {}}]}
//! ```
//!
//! - `sources`: files that functions and classes refer to by their place in this list. `file` is relative to the
//!   repository where it lies inside, else absolute. `text` has CPython's view of newlines: `\r\n` and `\r` are
//!   `\n`.
//! - `objects`: an object's place in this list is its *id*; every number called an id below is one. The same
//!   Python object has one id, so identity, sharing and cycles are those of the loaded rules.
//! - `rules`: the rules of the load report, in its order. `func`, the elements of `matchers` and
//!   `dynamic_outputs`, and `context` (`null` = none) are ids; `info` is the rule's entry of the load report.
//!
//! | `t` | further keys | object |
//! |---|---|---|
//! | `none` | | `None` |
//! | `bool` | `v`: bool | |
//! | `int` | `v`: decimal text | of any size up to 13,000 bits |
//! | `float` | `v`: `repr` | `inf`, `-inf` and `nan` too |
//! | `str` | `v` | text without lone surrogates |
//! | `bytes` | `v`: base64 | |
//! | `list`, `tuple`, `set`, `frozenset` | `v`: ids | in the order of iteration in the exporting process |
//! | `dict` | `v`: pairs of ids | in order |
//! | `regex` | `pattern`: id, `flags`: number | a compiled pattern; the flags as `re` tells them, so with `re.UNICODE` |
//! | `module` | `name`, `attrs` | `attrs` (name → id) only for modules that are neither Python's nor ours: those attributes that code which refers to the module mentions |
//! | `builtin` | `module`, `name` | a function, class, method or instance of the standard library or of the `streamalert` package, by module and qualified name; `rules.helpers.base` where that is our stand-in. The name leads to this very object, so one that the user replaced is none. The module is the shortest public one that has the object under the name (`json` `JSONDecodeError`, `operator` `contains`; `os.path` for `posixpath`) |
//! | `function` | `source`, `line`, `name`, `qualname`, `code_name`, `nth`, `of`, `defaults`, `kwdefaults`, `closure`, `globals` | see below |
//! | `class` | `name`, `qualname`, `source`, `line`, `bases`: ids, `attrs`: name → id | what the class itself defines, without `__doc__`, `__module__` and the like. Of an `enum` the members and functions |
//! | `staticmethod`, `classmethod` | `func`: id | as they stand in a class |
//! | `method` | `func`, `self`: ids | a bound method, of builtin values too |
//! | `partial` | `func`: id, `args`: ids, `kwargs`: name → id | `functools.partial` |
//! | `enum_member` | `class`: id, `name`, `value`: id | |
//! | `unsupported` | `reason`, `call`, `args`, `func`, `getter` | anything else; code that reaches it needs CPython, unless the reader knows better: see below |
//!
//! **Functions.** `line` is the first line of the definition, that of the first decorator where there is one (as
//! `co_firstlineno`); `code_name` is the name in the source (`<lambda>` for a lambda), while `name` and
//! `qualname` are what the function now says, which `functools.wraps` changes. Where several functions of one
//! source have the same line and `code_name`, `nth` of `of` tells which of them in the order of the compiled
//! code; otherwise both keys are absent. `defaults` are the ids of the last positional parameters' defaults.
//! `closure` maps free variables to ids. `globals` maps names that the code or code nested in it mentions, and
//! that the module defines, to ids; other names are builtins or missing.
//!
//! **Values of Python's own classes.** An `unsupported` object may have `call` (id) and `args` (ids): calling that
//! builtin with those arguments makes an equal object. This is so for what `ipaddress`, `datetime`, `decimal`,
//! `fractions`, `uuid`, `pathlib` and `collections` make, for `range`, `complex`, `bytearray`, for the getters of
//! `operator`, for loggers (`logging` `getLogger`), and for classes that `collections.namedtuple` made. One with
//! `func` (id) is that function under `functools.lru_cache`, one with `getter` (id) a property that this function
//! computes. A class with an attribute `_abc_impl` may have abstract methods.
//!
//! **What may change.** A global that some function of its module assigns through `global`, and an attribute of a
//! module or class that some function assigns by the name of that module or class, is `unsupported`. Changes that
//! code makes in other ways (`globals()`, `setattr`, `vars`) are not seen here. Lists, sets and dictionaries are
//! exported as they are after loading.
//!
//! **Limits.** Containers are left out (`unsupported`) beyond 4,000,000 objects, functions and classes of
//! installed packages beyond 2,000.
//!
//! # The cache
//!
//! [`export`] with an [`ExportCache`] answers from a file when nothing has changed that loading is known to depend
//! on, without starting Python. The worker watches what loading does through an audit hook and records: every file
//! of the user's or of an installed package that was imported or opened (compared by content), every folder that
//! was listed or in which another file could have been imported instead (by the names in it), and every
//! environment variable that was read. The interpreter, the options, our own Python files and the Python files in
//! the rule, matcher and publisher folders are part of the key.
//!
//! Nothing is stored when a file did not load, when loading wrote a file, reached for the network, a process or a
//! C library, read all of the environment, when a file changed meanwhile, or when the user's code that runs at
//! import mentions a clock, randomness or the existence of files by one of the usual names (`now`, `uuid4`,
//! `exists` …).
//!
//! *Not seen*: such calls inside a function that is called at import, or inside an installed package; state that
//! extension modules read; variables read through `posix.environ`. A repository that depends on these must do
//! without the cache. The cache is as trusted as the rules: who can write to its folder decides what rules do. An
//! interpreter that is a script (such as pyenv's) is asked what it stands for, which starts Python for a moment.

mod cache;
mod entry;
mod key;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

pub use cache::ExportCache;

use crate::start::{first_process, launcher, report};
use crate::{LoadReport, PoolOptions, PoolStartError, frame};

/// Writing the document takes less, even for the largest tables that fit into a worker's memory.
const EXPORT_MAX: Duration = Duration::from_secs(120);

/// The linked objects of the user's rules.
#[derive(Debug, Clone)]
pub struct Export {
    /// The document described in [the module](self).
    pub json: Bytes,
    /// Version of the interpreter, such as `(3, 11, 7)`.
    pub python: (u8, u8, u8),
    /// Why the answer cannot be reused by a later call, one line each; empty when it can be, and when it was.
    pub not_reusable: Vec<String>,
    /// Whether the answer came from the cache.
    pub from_cache: bool,
}

/// Loads the user's files as [`crate::PythonPool::start`] does, with the same report, and exports the rules. With a
/// cache, Python is only started when something changed.
///
/// # Errors
/// See [`PoolStartError`]. Exporting takes memory beyond what the rules do, within the same limit; a document that
/// does not fit, or that is larger than 256 MiB, is an error. Trouble with the cache is logged and costs only time.
pub async fn export(
    options: &PoolOptions,
    cache: Option<&ExportCache>,
) -> Result<(LoadReport, Export), PoolStartError> {
    let Some(cache) = cache else {
        let fresh = fresh(options).await?;
        return Ok((fresh.report, fresh.export));
    };
    let key = key::key(options).await;
    if let Some(key) = &key
        && let Some(found) = cache.find(key).await
    {
        return Ok(found);
    }
    let mut fresh = fresh(options).await?;
    match key {
        Some(key) => cache.keep(&key, &mut fresh).await,
        None => fresh
            .export
            .not_reusable
            .push("the folders or the interpreter cannot be compared".into()),
    }
    Ok((fresh.report, fresh.export))
}

/// What a worker has just exported.
#[derive(Debug)]
struct Fresh {
    report: LoadReport,
    export: Export,
    observed: Observed,
    /// The load report as the worker sent it.
    loaded: Bytes,
    /// When loading began, as the file system tells time.
    began: entry::ChangeTime,
}

/// What loading depended on; `export_watch.py` writes it.
#[derive(Debug, Default, Deserialize)]
struct Observed {
    reads: Vec<(entry::ReadKind, std::path::PathBuf)>,
    environment: Vec<String>,
    reasons: Vec<String>,
}

async fn fresh(options: &PoolOptions) -> Result<Fresh, PoolStartError> {
    let failed = |reason: String| PoolStartError::Worker { reason };
    let mut launcher = launcher(options.clone()).await?;
    launcher.init.export = true;
    let began = began(launcher.dir.path())?;
    let mut skip = Vec::new();
    let mut errors = Vec::new();
    let (mut process, loaded) = first_process(&launcher, &mut skip, &mut errors).await?;
    let received = tokio::time::timeout(EXPORT_MAX, process.receive()).await;
    let answer = match received {
        Ok(Some(answer)) if answer.kind == frame::EXPORTED => answer.body,
        Ok(Some(answer)) => return Err(failed(format!("unexpected frame {}", answer.kind))),
        Ok(None) => {
            let how = process.death().await;
            return Err(failed(format!("exporting the rules ended the worker: {how}")));
        }
        Err(_) => {
            process.kill().await;
            return Err(failed(format!(
                "exporting the rules took longer than {EXPORT_MAX:?}"
            )));
        }
    };
    process.kill().await;
    let (observed, loaded_text, json) =
        parts(&answer).ok_or_else(|| failed("unreadable export".to_owned()))?;
    let observed: Observed =
        serde_json::from_slice(&observed).map_err(|error| failed(format!("unreadable export: {error}")))?;
    let report = report(loaded, errors)?;
    let python = version(&report.python_version)
        .ok_or_else(|| failed(format!("strange python version {:?}", report.python_version)))?;
    let mut not_reusable = observed.reasons.clone();
    if !report.errors.is_empty() {
        not_reusable.push("not all files loaded".to_owned());
    }
    let export = Export {
        json,
        python,
        not_reusable,
        from_cache: false,
    };
    Ok(Fresh {
        report,
        export,
        observed,
        loaded: loaded_text,
        began,
    })
}

/// Our own files have just been written, so their folder's time is now, by a clock that files go by.
fn began(dir: &Path) -> Result<entry::ChangeTime, PoolStartError> {
    entry::change_time(dir).map_err(|source| PoolStartError::Io {
        doing: "look at the streamalert package",
        source,
    })
}

/// The observations, the load report and the document out of an EXPORTED frame.
fn parts(body: &Bytes) -> Option<(Bytes, Bytes, Bytes)> {
    let (observed, rest) = sized(body)?;
    let (loaded, document) = sized(&rest)?;
    Some((observed, loaded, document))
}

/// Bytes after their length (4 bytes, little endian), and what follows.
fn sized(body: &Bytes) -> Option<(Bytes, Bytes)> {
    let length = u32::from_le_bytes(*body.first_chunk()?) as usize;
    let end = length.checked_add(4).filter(|end| *end <= body.len())?;
    Some((body.slice(4..end), body.slice(end..)))
}

fn version(text: &str) -> Option<(u8, u8, u8)> {
    let mut numbers = text.split('.').map(str::parse);
    let version = (
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    );
    numbers.next().is_none().then_some(version)
}
