//! What a Python function becomes: a tree with names resolved to slots and constants. Statements and expressions
//! keep Python's structure, so that the evaluator, the guard and a reader can follow it.

use crate::methods::MethodSite;
use crate::program::{CodeId, ConstId, PathId, PointId};

/// One function, lambda, or generator expression.
#[derive(Debug)]
pub struct Code {
    /// `__name__`.
    pub name: Box<str>,
    /// `__qualname__`.
    pub qualname: Box<str>,
    /// Index of the source file.
    pub source: u32,
    /// Line of the `def`, from 1.
    pub line: u32,
    /// Parameters; they are the first locals, in order positional, `*args`, keyword-only, `**kwargs`.
    pub params: Params,
    /// Names of locals, for `UnboundLocalError`; its length is the frame's size. Variables of comprehensions are
    /// locals of the function around them, under names of their own.
    pub locals: Box<[Box<str>]>,
    /// Locals that inner functions capture: cell `i` of a new frame starts with the value of this parameter, or
    /// unbound. Cells after these are the free variables, in the order of `free`.
    pub cells: Box<[CellVar]>,
    /// Names of free variables.
    pub free: Box<[Box<str>]>,
    /// The statements.
    pub body: Body,
    /// It holds a `yield`, or is a generator expression: calling it makes a generator.
    pub is_generator: bool,
    /// What it is asked for depends on its arguments alone, as far as is known after linking.
    pub is_pure: bool,
}

/// A cell of a frame.
#[derive(Debug, Clone)]
pub struct CellVar {
    /// The variable.
    pub name: Box<str>,
    /// The parameter whose value it starts with.
    pub param: Option<u16>,
}

/// Parameters of a function.
#[derive(Debug, Default, Clone)]
pub struct Params {
    /// Names of positional parameters, positional-only ones first.
    pub positional: Box<[Box<str>]>,
    /// How many of them are positional-only.
    pub positional_only: u16,
    /// Name of `*args`.
    pub star: Option<Box<str>>,
    /// Names of keyword-only parameters.
    pub keyword_only: Box<[Box<str>]>,
    /// Name of `**kwargs`.
    pub double_star: Option<Box<str>>,
}

/// Statements in order.
pub type Body = Box<[Stmt]>;

/// One statement.
#[derive(Debug)]
pub struct Stmt {
    /// Line, from 1.
    pub line: u32,
    /// What it does.
    pub kind: StmtKind,
}

/// The statements.
#[derive(Debug)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(Expr),
    /// `a = b = value`: targets from left to right.
    Assign(Box<[Target]>, Expr),
    /// `target op= value`.
    AugAssign(Target, BinaryOp, Expr),
    /// `del a, b`.
    Delete(Box<[Target]>),
    /// `if`; `elif` is an `if` in the second body.
    If(Expr, Body, Body),
    /// `while` with `else`.
    While(Expr, Body, Body),
    /// `for` with `else`.
    For(Box<For>),
    /// `return`.
    Return(Expr),
    /// `raise exc from cause`; without `exc` the exception being handled.
    Raise(Option<Expr>, Option<Expr>),
    /// `assert test, message`.
    Assert(Expr, Option<Expr>),
    /// `try`.
    Try(Box<Try>),
    /// `with`.
    With(Box<With>),
    /// `match`.
    Match(Box<Match>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `pass`, docstrings, annotations without value.
    Pass,
    /// `target = yield value`; what `send` gives is always `None` here.
    Yield(Option<Target>, Expr),
    /// `target = yield from value`.
    YieldFrom(Option<Target>, Expr),
    /// Not known to us: the pair goes to CPython when this is reached.
    Fallback(PointId),
}

/// A `for` statement.
#[derive(Debug)]
pub struct For {
    /// What is assigned in each round.
    pub target: Target,
    /// What is gone through.
    pub iter: Expr,
    /// Each round.
    pub body: Body,
    /// After the last round, without `break`.
    pub orelse: Body,
}

/// A `try` statement.
#[derive(Debug)]
pub struct Try {
    /// What is tried.
    pub body: Body,
    /// `except` clauses.
    pub handlers: Box<[Handler]>,
    /// Without exception.
    pub orelse: Body,
    /// In any case.
    pub finally: Body,
}

/// An `except` clause.
#[derive(Debug)]
pub struct Handler {
    /// A class or tuple of classes; `None` catches everything.
    pub types: Option<Expr>,
    /// `as name`: assigned before, unbound after the body.
    pub name: Option<Target>,
    /// The clause.
    pub body: Body,
}

/// A `with` statement with one item; several are nested.
#[derive(Debug)]
pub struct With {
    /// The context manager.
    pub manager: Expr,
    /// `as target`.
    pub target: Option<Target>,
    /// The body.
    pub body: Body,
}

/// A `match` statement.
#[derive(Debug)]
pub struct Match {
    /// What is matched.
    pub subject: Expr,
    /// Cases in order.
    pub cases: Box<[Case]>,
}

/// One `case`.
#[derive(Debug)]
pub struct Case {
    /// The pattern.
    pub pattern: Pattern,
    /// `if guard`.
    pub guard: Option<Expr>,
    /// The body.
    pub body: Body,
}

/// A pattern of a `case`.
#[derive(Debug)]
pub enum Pattern {
    /// Equal to a value.
    Value(Expr),
    /// `None`, `True` or `False`, by identity.
    Singleton(ConstId),
    /// `[a, *b, c]`; the star is at this place, with its target.
    Sequence(Box<[Pattern]>, Option<(usize, Option<Target>)>),
    /// `{key: pattern, **rest}`.
    Mapping(Box<[(Expr, Pattern)]>, Option<Target>),
    /// `Class(positional, name=pattern)`.
    Class(Expr, Box<[Pattern]>, Box<[(Box<str>, Pattern)]>),
    /// `pattern as name`; without pattern it always matches; without name it is `_`.
    As(Option<Box<Pattern>>, Option<Target>),
    /// `a | b`.
    Or(Box<[Pattern]>),
}

/// Where a value goes.
#[derive(Debug)]
pub enum Target {
    /// A local.
    Local(u16),
    /// A cell.
    Cell(u16),
    /// `container[index]`.
    Index(Box<(Expr, Expr)>),
    /// `value.name`.
    Attr(Box<(Expr, Box<str>)>),
    /// `a, *b, c`; the starred one is at this place.
    Unpack(Box<[Target]>, Option<usize>),
    /// Not known to us.
    Fallback(PointId),
}

/// The expressions.
#[derive(Debug)]
pub enum Expr {
    /// A literal, a global, a module attribute: known since linking.
    Const(ConstId),
    /// A local; `UnboundLocalError` when unbound.
    Local(u16),
    /// A cell; `NameError`/`UnboundLocalError` when unbound.
    Cell(u16),
    /// A name that is neither global nor builtin: `NameError`.
    Missing(Box<str>),
    /// A field of a dictionary in a local. When the local is the record of this event, slot `path` answers, which
    /// is filled once per event for all rules; otherwise, and when the slot is not plainly present, `otherwise`.
    Path(Box<PathExpr>),
    /// An expression that several rules share and that depends on one local alone. When that is the record of this
    /// event, its value is kept for the others.
    Memo(Box<MemoExpr>),
    /// `value.name` that linking could not resolve.
    Attr(Box<(Expr, Box<str>)>),
    /// `value[index]`; slices are [`Expr::Slice`] as index.
    Index(Box<(Expr, Expr)>),
    /// `start:stop:step`, missing ones `None`.
    Slice(Box<[Expr; 3]>),
    /// `-x`, `+x`, `~x`, `not x`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(BinaryOp, Box<(Expr, Expr)>),
    /// `a and b and c`.
    And(Box<[Expr]>),
    /// `a or b or c`.
    Or(Box<[Expr]>),
    /// `a < b <= c`.
    Compare(Box<(Expr, Comparisons)>),
    /// `then if test else otherwise`, in the order test, then, otherwise.
    IfElse(Box<[Expr; 3]>),
    /// A call of anything but an attribute that is unresolved.
    Call(Box<Call>),
    /// `value.name(args)` with the attribute unresolved.
    MethodCall(Box<MethodCall>),
    /// `(a, *b)`.
    Tuple(Box<[Item]>),
    /// `[a, *b]`.
    List(Box<[Item]>),
    /// `{a, *b}`.
    Set(Box<[Item]>),
    /// `{k: v, **d}`; without key it is `**d`.
    Dict(Box<[(Option<Expr>, Expr)]>),
    /// A comprehension, run in the frame of the function around it, or `any`/`all`/… over a generator expression
    /// that nobody else sees.
    Comprehension(Box<Comprehension>),
    /// A function, lambda or generator expression made here. A generator expression's first iterable is `iter(…)`
    /// of the expression given, evaluated at once, and passed as its only argument.
    MakeFunction(Box<MakeFunction>),
    /// An f-string.
    FString(Box<[FStringPart]>),
    /// `(target := value)`.
    Walrus(Box<(Target, Expr)>),
    /// Not known to us: the pair goes to CPython when this is reached.
    Fallback(PointId),
}

/// Operators with their right operands.
pub type Comparisons = Box<[(CompareOp, Expr)]>;

/// See [`Expr::Path`].
#[derive(Debug)]
pub struct PathExpr {
    /// The local that holds the dictionary.
    pub local: u16,
    /// The field.
    pub path: PathId,
    /// What is written in the rule.
    pub otherwise: Expr,
    /// What absence at any level means, when it does not raise: the default of the last `.get`, if every level is
    /// asked by `.get` whose default is an empty dictionary (`rec.get('a', {}).get('b')`). `None`: `otherwise`.
    pub absent: Option<ConstId>,
    /// The part of the field that is asked by subscript (`rec['a'].get('b')`: `a`): `absent` is the value only where
    /// this part is there; where it is not, `otherwise`.
    pub required: Option<PathId>,
}

/// See [`Expr::Memo`].
#[derive(Debug)]
pub struct MemoExpr {
    /// Place among the memos of an event.
    pub slot: u32,
    /// The local that it depends on.
    pub local: u16,
    /// The expression.
    pub expr: Expr,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// What is called.
    pub func: Expr,
    /// Arguments.
    pub args: CallArgs,
}

/// Arguments of a call.
#[derive(Debug, Default)]
pub struct CallArgs {
    /// Positional ones and `*iterables`.
    pub positional: Box<[Item]>,
    /// Named ones; without name it is `**mapping`.
    pub keywords: Box<[(Option<Box<str>>, Expr)]>,
}

/// A call of a method.
#[derive(Debug)]
pub struct MethodCall {
    /// The receiver.
    pub value: Expr,
    /// Which method, resolved for every built-in type.
    pub site: MethodSite,
    /// Arguments.
    pub args: CallArgs,
}

/// One element of a display or argument list.
#[derive(Debug)]
pub enum Item {
    /// One value.
    One(Expr),
    /// `*values`.
    Star(Expr),
}

/// What a comprehension makes of its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComprehensionKind {
    /// `[…]`
    List,
    /// `{…}`
    Set,
    /// `{k: v …}`: `element` is the key, `value` the value.
    Dict,
    /// `any(…)`: stops at the first true one.
    Any,
    /// `all(…)`: stops at the first false one.
    All,
    /// `tuple(…)`.
    Tuple,
}

/// A comprehension.
#[derive(Debug)]
pub struct Comprehension {
    /// What is made.
    pub kind: ComprehensionKind,
    /// It is a generator expression in the source: `StopIteration` out of it becomes `RuntimeError`.
    pub is_generator: bool,
    /// The element, or key.
    pub element: Expr,
    /// The value of a dictionary's element.
    pub value: Option<Expr>,
    /// `for … in … if …`, outermost first; never empty.
    pub clauses: Box<[Clause]>,
    /// Locals and cells (as their index) that are fresh in each run, unbound at its start.
    pub fresh_locals: Box<[u16]>,
    /// Cells that are made anew for each run, for lambdas that capture loop variables.
    pub fresh_cells: Box<[u16]>,
}

/// `for target in iter if …`.
#[derive(Debug)]
pub struct Clause {
    /// What is assigned.
    pub target: Target,
    /// What is gone through.
    pub iter: Expr,
    /// All must be true.
    pub conditions: Box<[Expr]>,
}

/// A function made at run time.
#[derive(Debug)]
pub struct MakeFunction {
    /// Its code.
    pub code: CodeId,
    /// Defaults of the last positional parameters.
    pub defaults: Box<[Expr]>,
    /// Defaults of keyword-only parameters.
    pub kwdefaults: Box<[(Box<str>, Expr)]>,
    /// For each of its free variables the cell of the frame around it.
    pub captures: Box<[u16]>,
    /// For a generator expression: what it goes through. The result is then the generator.
    pub generator_over: Option<Expr>,
}

/// A piece of an f-string.
#[derive(Debug)]
pub enum FStringPart {
    /// Text as it is.
    Text(Box<str>),
    /// `{value!conversion:spec}`.
    Value(Expr, Conversion, Option<Box<[FStringPart]>>),
}

/// `!s`, `!r`, `!a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// None.
    None,
    /// `!s`
    Str,
    /// `!r`
    Repr,
    /// `!a`
    Ascii,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `+`
    Pos,
    /// `~`
    Invert,
    /// `not`
    Not,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
    /// `%`
    Mod,
    /// `**`
    Pow,
    /// `<<`
    LShift,
    /// `>>`
    RShift,
    /// `|`
    BitOr,
    /// `&`
    BitAnd,
    /// `^`
    BitXor,
    /// `@`
    MatMul,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `is`
    Is,
    /// `is not`
    IsNot,
    /// `in`
    In,
    /// `not in`
    NotIn,
}
