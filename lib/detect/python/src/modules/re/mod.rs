//! `re`, on the engines of `streamalert-regex`.

mod cache;
mod flag;
mod functions;
mod matched;
mod replace;

use streamalert_regex::{CompileError, Flags, Invalid, Limits, Pattern, PyVersion as ReVersion, Raised};

pub use cache::Cache;
pub(super) use functions::subject;
pub use functions::{pattern_attr, pattern_method};

use crate::cx::{Cx, R, Raise};
use crate::obj::{Exception, Obj};
use crate::program::{Const, PyVersion};
use crate::registry::{Args, NativeClass};
use crate::types::{ExcKind, Type};

/// Steps of the backtracking engine per search, some 2 ms; beyond it CPython is asked.
const BACKTRACK_STEPS_MAX: u64 = 200_000;

/// A compiled regular expression.
#[derive(Debug)]
pub struct Compiled {
    /// The pattern as written.
    pub pattern: Box<str>,
    /// `re` flags, the inline ones included: `Pattern.flags`.
    pub flags: u32,
    /// What runs.
    pub(crate) regex: Pattern,
}

/// How a pattern is called: where a match must start and end.
pub use streamalert_regex::Anchor;

/// Why there is no [`Compiled`].
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Python refuses it, too.
    Invalid(Invalid),
    /// Python may accept it.
    Untranslatable(&'static str),
}

impl Compiled {
    /// Compiles.
    ///
    /// # Errors
    /// Why it cannot be translated.
    pub fn new(pattern: &str, flags: u32, version: PyVersion) -> Result<Self, String> {
        Self::compile(pattern, flags, version).map_err(|refusal| match refusal {
            Refusal::Invalid(invalid) => invalid.to_string(),
            Refusal::Untranslatable(reason) => reason.to_owned(),
        })
    }

    pub(crate) fn compile(pattern: &str, flags: u32, version: PyVersion) -> Result<Self, Refusal> {
        let limits = Limits {
            backtrack_steps_max: BACKTRACK_STEPS_MAX,
            ..Limits::default()
        };
        let version = ReVersion { minor: version.minor };
        let regex = Pattern::compile(pattern, Flags::from_bits(flags), version, &limits).map_err(
            |error| match error {
                CompileError::Invalid(invalid) => Refusal::Invalid(invalid),
                CompileError::Untranslatable { reason } => Refusal::Untranslatable(reason),
            },
        )?;
        Ok(Self {
            pattern: pattern.into(),
            flags: regex.flags().bits(),
            regex,
        })
    }

    /// Texts of which any text that this pattern matches contains at least one, letter for letter, however it is
    /// called. `None` when nothing is known.
    #[must_use]
    pub fn required_literals(&self) -> Option<Vec<String>> {
        self.regex.required_literals()
    }

    /// Texts of which every match begins with at least one: what a text matched by `match` and `fullmatch` begins
    /// with. `None` when nothing is known.
    #[must_use]
    pub fn literal_prefixes(&self) -> Option<Vec<String>> {
        self.regex.literal_prefixes()
    }
}

static PATTERN: NativeClass = NativeClass {
    module: "re",
    name: "Pattern",
    bases: &[],
    new: no_instances,
    attr: |_| None,
};

static MATCH: NativeClass = NativeClass {
    module: "re",
    name: "Match",
    bases: &[],
    new: no_instances,
    attr: |_| None,
};

fn no_instances<'a>(cx: &Cx<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("an instance of a class of re"))
}

/// What the module calls `name`.
#[must_use]
pub fn lookup(name: &str) -> Option<Const> {
    if let Some(named) = flag::lookup(name) {
        return Some(named);
    }
    match name {
        "RegexFlag" => Some(Const::NativeClass(&flag::CLASS)),
        "error" => Some(Const::Type(Type::Exc(ExcKind::ReError))),
        "Pattern" => Some(Const::NativeClass(&PATTERN)),
        "Match" => Some(Const::NativeClass(&MATCH)),
        _ => super::function(functions::FUNCTIONS, name),
    }
}

/// The exception that Python raises for a bad pattern or template.
#[cold]
pub(super) fn raise_invalid<'a>(cx: &Cx<'a>, source: &'a str, invalid: &Invalid) -> Raise<'a> {
    match invalid.raised {
        Raised::ValueError => return cx.value_error(format_args!("{invalid}")),
        Raised::OverflowError => return cx.raise(ExcKind::OverflowError, format_args!("{invalid}")),
        Raised::IndexError => return cx.raise(ExcKind::IndexError, format_args!("{invalid}")),
        Raised::ReError => {}
    }
    let int = |number: usize| Obj::Int(number as i64);
    let mut message = invalid.to_string();
    let (mut position, mut line, mut column) = (Obj::None, Obj::None, Obj::None);
    if let Some(at) = invalid.position {
        let before = || source.chars().take(at);
        let line_number = before().filter(|c| *c == '\n').count() + 1;
        let last = before().collect::<Vec<_>>().iter().rposition(|c| *c == '\n');
        let column_number = last.map_or(at + 1, |last| at - last);
        if source.contains('\n') {
            message.push_str(&format!(" (line {line_number}, column {column_number})"));
        }
        (position, line, column) = (int(at), int(line_number), int(column_number));
    }
    let text = |text: &str| Obj::Str(cx.bump.alloc_str(text));
    let plain = cx.exception(ExcKind::ReError, &[text(&message)]);
    let extra = [
        ("msg", text(&invalid.message)),
        ("pattern", Obj::Str(source)),
        ("pos", position),
        ("lineno", line),
        ("colno", column),
    ];
    Raise::Exception(cx.bump.alloc(Exception {
        kind: plain.kind,
        user: None,
        args: plain.args,
        cause: plain.cause.clone(),
        context: plain.context.clone(),
        line: plain.line.clone(),
        extra: cx.bump.alloc_slice_copy(&extra),
    }))
}
