//! From exported objects to a program.
//!
//! In order: objects become constants of the same number ([`link`](self)), files are parsed, each function is
//! lowered with its names resolved, then what all functions together say is worked out: which constants change,
//! which functions are pure, which expressions are shared, which fallback points a rule can reach.

mod call;
mod calls;
mod changes;
mod changes_expr;
mod changes_instances;
mod class;
mod collect;
mod expr;
mod flow;
mod function;
mod inline;
mod link;
mod literal;
mod memo;
mod operator;
mod pattern;
mod pool;
mod pure;
mod reach;
mod scope;
pub(crate) mod source;
mod stmt;
mod unit;
mod walk;
mod walk_mut;

use std::collections::HashMap;
use std::rc::Rc;

pub use self::calls::{Called, Role, calls};
use self::link::Wanted;
use self::pool::Pool;
use self::source::{File, Found, Index};
use self::unit::{Names, Shared, Unit};
use crate::export::{Export, Object};
use crate::ir::Code;
use crate::program::{Const, ConstId, Program, PyVersion, RuleCode};

/// The value of the digits of a number literal; `None` when there are too many.
pub(crate) fn big_literal(token: &str) -> Option<num_bigint::BigInt> {
    literal::big(token)
}

/// An export that makes no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Another format.
    #[error("export version {found} cannot be read, only 1")]
    Version {
        /// The version found.
        found: u32,
    },
}

/// Compiles all rules. What is not known becomes a fallback point; a file that does not parse makes its functions
/// unknown.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(export: &Export) -> Result<Program, CompileError> {
    if export.version != 1 {
        return Err(CompileError::Version {
            found: export.version,
        });
    }
    let (_, minor, patch) = export.python;
    let version = PyVersion { minor, patch };
    let mut shared = Shared {
        version,
        objects: &export.objects,
        pool: Pool::default(),
        codes: Vec::new(),
        classes: Vec::new(),
    };
    let wanted = link::link(&mut shared, export);
    let files: Vec<File> = export.sources.iter().map(File::new).collect();
    let indexes: Vec<Index<'_>> = files.iter().map(Index::new).collect();
    for function in wanted {
        if let Err(reason) = lower(&mut shared, &files, &indexes, export, function) {
            let point = shared.pool.point(0, 0, reason, "");
            if let Some(place) = shared.pool.consts.get_mut(function.object as usize) {
                *place = Const::Unsupported(point);
            }
        }
    }
    let mut codes: Vec<Code> = shared
        .codes
        .into_iter()
        .map(|code| code.unwrap_or_else(unknown_code))
        .collect();
    for (id, (source, line, name)) in
        changes::find(&codes, &shared.pool.consts, &shared.classes, &shared.pool.points)
    {
        let reason = format!("a constant that {name} changes: each process would see another value");
        let point = shared.pool.point(
            source,
            line,
            reason,
            "build a new value instead of changing this one",
        );
        if let Some(place) = shared.pool.consts.get_mut(id as usize) {
            *place = Const::Unsupported(point);
        }
    }
    pure::mark(&mut codes, &shared.pool.consts);
    let rules = rules(export, &shared.pool);
    let networks = crate::modules::streamalert::NetworkSet::of_constants(version, &shared.pool.consts);
    let mut program = Program {
        version,
        files: export
            .sources
            .iter()
            .map(|source| source.file.as_str().into())
            .collect(),
        consts: shared.pool.consts,
        codes,
        classes: shared.classes,
        paths: shared.pool.paths,
        memos: 0,
        points: shared.pool.points,
        networks,
        rules,
    };
    program.memos = memo::share(&mut program);
    reach::fill(&mut program);
    Ok(program)
}

/// Lowers one exported function.
fn lower<'a>(
    shared: &mut Shared<'a>,
    files: &'a [File],
    indexes: &[Index<'a>],
    export: &'a Export,
    wanted: Wanted,
) -> Result<(), String> {
    let Some(Object::Function {
        source,
        line,
        name,
        qualname,
        code_name,
        nth,
        of,
        closure,
        globals,
        ..
    }) = export.objects.get(wanted.object as usize)
    else {
        return Ok(());
    };
    let (Some(file), Some(index)) = (files.get(*source as usize), indexes.get(*source as usize)) else {
        return Err(format!("the function {name} has no source"));
    };
    let shown = export
        .sources
        .get(*source as usize)
        .map_or("", |source| source.file.as_str());
    if let Err(why) = &file.tree {
        return Err(format!("{shown}: {why}"));
    }
    let wanted_name = if code_name.is_empty() { name } else { code_name };
    let place = (*of > 1).then_some((*nth, *of));
    let Some(found) = index.find(*line, wanted_name, place) else {
        return Err(format!("the function {name} is not found at {shown}:{line}"));
    };
    if let source::FunctionNode::Def(def) = found.node
        && (def.is_async || def.type_params.is_some())
    {
        return Err(format!("the function {name} is async or has type parameters"));
    }
    let names = Names {
        globals,
        closure,
        class: found.class,
    };
    let code = lower_found(shared, file, *source, names, &found, (*line, name, qualname))
        .ok_or_else(|| format!("the function {name} has too many variables"))?;
    if let Some(place) = shared.codes.get_mut(wanted.code as usize) {
        *place = Some(code);
    }
    Ok(())
}

fn lower_found<'a>(
    shared: &mut Shared<'a>,
    file: &'a File,
    source: u32,
    names: Names<'a>,
    found: &Found<'a>,
    (line, name, qualname): (u32, &str, &str),
) -> Option<Code> {
    let scopes = function::scopes_of(found, &names)?;
    let mut unit = Unit {
        shared,
        file,
        source,
        names,
        scopes: Rc::new(scopes),
        frame: 0,
        scope: 0,
        imported: HashMap::new(),
        bound: std::collections::BTreeSet::new(),
        blocks: 0,
        qualname: if qualname.is_empty() {
            name.to_owned()
        } else {
            qualname.to_owned()
        },
    };
    Some(unit.whole(found, line, name))
}

/// What stands where a function could not be lowered; its constant is unsupported, so nobody calls it.
fn unknown_code() -> Code {
    Code {
        name: Box::default(),
        qualname: Box::default(),
        source: 0,
        line: 0,
        params: crate::ir::Params::default(),
        locals: Box::default(),
        cells: Box::default(),
        free: Box::default(),
        body: Box::default(),
        is_generator: false,
        is_pure: false,
    }
}

fn rules(export: &Export, pool: &Pool) -> Vec<RuleCode> {
    let refused = |id: ConstId| match pool.consts.get(id as usize) {
        Some(Const::Unsupported(point)) => Some(*point),
        _ => None,
    };
    let rules = export.rules.iter().map(|rule| RuleCode {
        name: rule.name.as_str().into(),
        func: rule.func,
        matchers: rule.matchers.as_slice().into(),
        dynamic_outputs: rule.dynamic_outputs.as_slice().into(),
        context: rule.context,
        refused: std::iter::once(&rule.func)
            .chain(&rule.matchers)
            .find_map(|id| refused(*id)),
        points: Box::default(),
    });
    rules.collect()
}

#[cfg(test)]
mod tests;
