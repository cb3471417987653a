use streamalert_detect::{RuleIndex, RuleInfo};
use streamalert_native::engine::Engine;
use streamalert_native::guard::{Atom, Fact};
use streamalert_native::program::{PathId, Program, RuleCode};
use streamalert_runtime::Generation;
use streamalert_value::Value;

use crate::args::Global;
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;
use crate::{assembly, paint, python};

mod called;

use called::Function;

/// How much of a rule runs natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Native {
    /// All of it, as far as can be told before it runs.
    Wholly,
    /// All but some places.
    Partly,
    /// Nothing.
    Not,
}

impl Native {
    pub(super) fn of(generation: &Generation, rule: RuleIndex) -> Self {
        match code(generation, rule) {
            None => Self::Not,
            Some((_, code)) if code.refused.is_some() => Self::Not,
            Some((_, code)) if code.points.is_empty() => Self::Wholly,
            Some(_) => Self::Partly,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Wholly => "native",
            Self::Partly => "partly",
            Self::Not => "cpython",
        }
    }
}

fn code(generation: &Generation, rule: RuleIndex) -> Option<(&Engine, &RuleCode)> {
    let engine = generation.engine()?;
    let code = engine.program().rules.get(engine.code(rule)? as usize)?;
    Some((engine, code))
}

/// What is known of one rule without running it.
struct Explained {
    native: Native,
    refused: Option<Place>,
    places: Vec<Place>,
    /// `None`: it runs on every record of its log types.
    facts: Option<Vec<String>>,
    /// Why it is not indexed.
    why: Vec<Place>,
    functions: Vec<Function>,
}

/// Where a rule may need CPython.
struct Place {
    file: String,
    line: u32,
    reason: String,
    advice: String,
}

/// `rules explain RULE`
pub(super) async fn run(global: &Global, name: &str, json: bool) -> Result<(), Failure> {
    let project = Project::load(global)?;
    let (runtime, report) = python::start(&project, Some(1), assembly::clock()).await?;
    let generation = runtime.current();
    runtime.shutdown().await;
    let Some((index, rule)) = report.rules.find(name) else {
        for error in &report.errors {
            anstream::eprintln!("{} {error}", paint::in_style(paint::BAD, "not loaded:"));
        }
        return Err(Failure::Other(format!(
            "there is no rule {name}; `streamalert rules list` tells which there are"
        )));
    };
    let explained = explain(&generation, index);
    let settings = &project.settings.rules;
    let limits = [
        ("steps", settings.steps_max),
        ("arena_bytes", settings.arena_bytes_max),
        ("python_ms", settings.time_limit_ms),
    ];
    if json {
        println!("{}", row(rule, &explained, &limits).to_json());
    } else {
        tell(rule, &explained, &limits);
    }
    Ok(())
}

fn explain(generation: &Generation, rule: RuleIndex) -> Explained {
    let native = Native::of(generation, rule);
    let Some((engine, code)) = code(generation, rule) else {
        return Explained {
            native,
            refused: None,
            places: Vec::new(),
            facts: None,
            why: Vec::new(),
            functions: Vec::new(),
        };
    };
    let program = engine.program();
    let clause = engine.index().clause(rule);
    Explained {
        native,
        refused: code.refused.and_then(|point| place(program, point)),
        places: code
            .points
            .iter()
            .filter_map(|point| place(program, *point))
            .collect(),
        facts: clause.map(|atoms| facts(program, atoms)),
        why: called::why(program, code),
        functions: called::functions(program, code),
    }
}

fn place(program: &Program, point: u32) -> Option<Place> {
    let point = program.points.get(point as usize)?;
    Some(Place {
        file: program.files.get(point.source as usize)?.to_string(),
        line: point.line,
        reason: point.reason.to_string(),
        advice: point.advice.to_string(),
    })
}

/// One of these must hold; those about one field together.
fn facts(program: &Program, atoms: &[Atom]) -> Vec<String> {
    let mut by_path: Vec<(PathId, Vec<String>)> = Vec::new();
    for atom in atoms {
        // The record itself is a dictionary.
        let at_top = program
            .paths
            .get(atom.path as usize)
            .is_some_and(|path| path.parent.is_none());
        if at_top && matches!(atom.fact, Fact::Odd | Fact::UnderNull) {
            continue;
        }
        let words = words(&atom.fact);
        match by_path.iter_mut().find(|(path, _)| *path == atom.path) {
            Some((_, known)) => known.push(words),
            None => by_path.push((atom.path, vec![words])),
        }
    }
    by_path
        .into_iter()
        .map(|(path, words)| format!("{} {}", dotted(program, path), words.join(", or ")))
        .collect()
}

fn dotted(program: &Program, path: PathId) -> String {
    let mut keys = Vec::new();
    let mut at = program.paths.get(path as usize);
    while let Some(path) = at {
        keys.push(&*path.key);
        at = path.parent.and_then(|parent| program.paths.get(parent as usize));
    }
    keys.reverse();
    keys.join(".")
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Absent => "is missing".to_owned(),
        Fact::Odd => "is asked of what is no dictionary".to_owned(),
        Fact::UnderNull => "is asked of None".to_owned(),
        Fact::Filled => "is there and not empty".to_owned(),
        Fact::Empty => "is there and empty, zero, False or None".to_owned(),
        Fact::Present => "is there".to_owned(),
        Fact::NotText => "is no text".to_owned(),
        Fact::Container => "is a list or dictionary".to_owned(),
        Fact::List => "is a list".to_owned(),
        Fact::Scalar => "is neither text nor list nor dictionary".to_owned(),
        Fact::NotNumber => "is no number".to_owned(),
        Fact::Text(text) => format!("is {text:?}"),
        Fact::Lower(text) => format!("is {text:?} in lower case"),
        Fact::Upper(text) => format!("is {text:?} in upper case"),
        Fact::Prefix(text) => format!("begins with {text:?}"),
        Fact::Suffix(text) => format!("ends with {text:?}"),
        Fact::Contains(text) => format!("holds {text:?}"),
        Fact::LowerContains(text) => format!("holds {text:?} in lower case"),
        Fact::Int(number) => format!("is {number}"),
        Fact::Null => "is None".to_owned(),
        Fact::Above(number) => format!("is at least {}", number.0),
        Fact::Below(number) => format!("is at most {}", number.0),
        Fact::Network(_) => "is an address in one of the networks".to_owned(),
    }
}

const EVERY_RECORD: &str = "every record of its log types: no test of a field was found that must hold";

fn tell(rule: &RuleInfo, explained: &Explained, limits: &[(&str, u64)]) {
    let head = |word: &str| paint::in_style(paint::HEAD, word).to_string();
    anstream::println!("{} {}:{}", head(&rule.name), rule.file.display(), rule.line);
    let disabled = if rule.disabled { ", but disabled" } else { "" };
    anstream::println!(
        "  {} {}{disabled}",
        head("evaluated"),
        told_native(explained.native)
    );
    if let Some(place) = &explained.refused {
        tell_place(place);
    }
    match &explained.facts {
        None => {
            anstream::println!("  {} {EVERY_RECORD}", head("runs on"));
            explained.why.iter().for_each(tell_place);
        }
        Some(facts) => {
            anstream::println!("  {} records of its log types with", head("runs on"));
            for (number, fact) in facts.iter().enumerate() {
                anstream::println!("    {}{fact}", if number == 0 { "" } else { "or " });
            }
        }
    }
    for function in &explained.functions {
        anstream::println!("  {} {}", head("calls"), function.told());
    }
    for place in &explained.places {
        anstream::println!("  {}", head("may need CPython at"));
        tell_place(place);
    }
    let limits: Vec<String> = limits
        .iter()
        .map(|(name, limit)| format!("{name} {limit}"))
        .collect();
    anstream::println!("  {} {}", head("limits per record"), limits.join(", "));
}

const fn told_native(native: Native) -> &'static str {
    match native {
        Native::Wholly => "natively",
        Native::Partly => "natively, with places that may need CPython",
        Native::Not => "in CPython",
    }
}

fn tell_place(place: &Place) {
    anstream::println!("    {}:{}: {}", place.file, place.line, place.reason);
    if !place.advice.is_empty() {
        anstream::println!("      {}", paint::in_style(paint::DIM, &place.advice));
    }
}

fn row(rule: &RuleInfo, explained: &Explained, limits: &[(&str, u64)]) -> Value {
    let texts = |items: &[String]| Value::List(items.iter().map(|item| text(item)).collect());
    let place = |place: &Place| {
        object([
            ("file", text(&place.file)),
            ("line", integer(u64::from(place.line))),
            ("reason", text(&place.reason)),
            ("advice", text(&place.advice)),
        ])
    };
    let limits = limits
        .iter()
        .map(|(name, limit)| ((*name).to_owned(), integer(*limit)));
    object([
        ("rule", text(&rule.name)),
        ("file", text(&rule.file.display().to_string())),
        ("line", integer(u64::from(rule.line))),
        ("disabled", Value::Bool(rule.disabled)),
        ("native", text(explained.native.word())),
        ("refused", explained.refused.as_ref().map_or(Value::Null, place)),
        ("runs_when", explained.facts.as_deref().map_or(Value::Null, texts)),
        (
            "not_indexed",
            Value::List(explained.why.iter().map(place).collect()),
        ),
        (
            "functions",
            Value::List(explained.functions.iter().map(Function::row).collect()),
        ),
        (
            "fallbacks",
            Value::List(explained.places.iter().map(place).collect()),
        ),
        ("limits", Value::Map(limits.collect())),
    ])
}
