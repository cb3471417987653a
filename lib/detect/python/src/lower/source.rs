//! Source files: parsed once, their functions found by line.

use std::collections::HashMap;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ModModule};
use ruff_python_parser::{Mode, Parsed, lexer, parse_module};
use ruff_text_size::{Ranged, TextSize};

use crate::export::Source;

/// Nested brackets, operators and blocks: beyond it recursion could end the process, in the parser's trees or in
/// what is made of them.
pub(crate) const NESTING_MAX: u32 = 200;

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its tree, or why there is none.
    pub(crate) tree: Result<Parsed<ModModule>, String>,
    /// Where lines start.
    lines: Vec<TextSize>,
    /// Line of the error, when there is no tree; 0 when it is about the file.
    pub(crate) error_line: u32,
    /// It asks for annotations that are not evaluated.
    pub(crate) lazy_annotations: bool,
}

impl File {
    pub(crate) fn new(source: &Source) -> Self {
        let parsed = parse(&source.text);
        let error_at = parsed.as_ref().err().and_then(|(_, at)| *at);
        let tree = parsed.map_err(|(why, _)| why);
        let lazy_annotations = tree.as_ref().is_ok_and(|tree| {
            tree.suite().iter().any(|statement| match statement {
                ast::Stmt::ImportFrom(import) => {
                    import.module.as_deref() == Some("__future__")
                        && import.names.iter().any(|name| &*name.name == "annotations")
                }
                _ => false,
            })
        });
        let starts = source.text.bytes().enumerate();
        let lines = std::iter::once(TextSize::new(0))
            .chain(
                starts
                    .filter(|(_, byte)| *byte == b'\n')
                    .map(|(at, _)| TextSize::new(at as u32 + 1)),
            )
            .collect();
        let mut file = Self {
            tree,
            lines,
            error_line: 0,
            lazy_annotations,
        };
        file.error_line = error_at.map_or(0, |at| file.line(at));
        file
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, at: TextSize) -> u32 {
        self.lines.partition_point(|start| *start <= at) as u32
    }
}

/// Parses a module that is not nested too deeply.
fn parse(text: &str) -> Result<Parsed<ModModule>, (String, Option<TextSize>)> {
    if text.len() > u32::MAX as usize / 2 {
        return Err(("the file is too large".to_owned(), None));
    }
    if nesting(text) > NESTING_MAX {
        return Err(("nested too deeply".to_owned(), None));
    }
    parse_module(text).map_err(|error| {
        let why = format!("the file does not parse: {}", error.error);
        (why, Some(error.location.start()))
    })
}

/// An upper bound of how deep the tree of `text` is, from its tokens alone: open brackets and blocks, and within
/// each the operators since the last comma.
pub(crate) fn nesting(text: &str) -> u32 {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut levels = Levels {
        open: vec![Level::default()],
        blocks: 0,
        below: 0,
        most: 0,
    };
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return levels.most,
            kind => levels.token(kind),
        }
    }
}

#[derive(Default)]
struct Level {
    /// Lambdas and conditions since the bracket: a comma does not end them for sure.
    lasting: u32,
    /// Operators since the last comma or `and`, `or`.
    operators: u32,
}

struct Levels {
    open: Vec<Level>,
    blocks: u32,
    /// Depth of all open levels but the last.
    below: u32,
    most: u32,
}

impl Levels {
    fn token(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                if let Some(level) = self.open.last_mut() {
                    level.operators += 1;
                    self.below += level.lasting + level.operators;
                }
                self.open.push(Level::default());
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if self.open.len() > 1 {
                    self.open.pop();
                    if let Some(level) = self.open.last() {
                        self.below -= level.lasting + level.operators;
                    }
                }
            }
            TokenKind::Indent => self.blocks += 1,
            TokenKind::Dedent => self.blocks = self.blocks.saturating_sub(1),
            TokenKind::Newline => {
                self.open = vec![Level::default()];
                self.below = 0;
            }
            TokenKind::Comma
            | TokenKind::Semi
            | TokenKind::And
            | TokenKind::Or
            | TokenKind::NonLogicalNewline => {
                if kind != TokenKind::NonLogicalNewline
                    && let Some(level) = self.open.last_mut()
                {
                    level.operators = 0;
                }
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment => {}
            TokenKind::Lambda | TokenKind::If | TokenKind::Else | TokenKind::Not => {
                if let Some(level) = self.open.last_mut() {
                    level.lasting += 1;
                }
            }
            _ => {
                if let Some(level) = self.open.last_mut() {
                    level.operators += 1;
                }
            }
        }
        if let Some(level) = self.open.last() {
            let now = self.below + self.blocks + level.lasting + level.operators;
            self.most = self.most.max(now);
        }
    }
}

/// A function or lambda in a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FunctionNode<'a> {
    /// `def`
    Def(&'a ast::StmtFunctionDef),
    /// `lambda`
    Lambda(&'a ast::ExprLambda),
}

impl FunctionNode<'_> {
    fn start(&self) -> TextSize {
        match self {
            Self::Def(def) => def.start(),
            Self::Lambda(lambda) => lambda.start(),
        }
    }
}

/// Where a function is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    /// It.
    pub(crate) node: FunctionNode<'a>,
    /// The class around it, for names such as `__private`.
    pub(crate) class: Option<&'a str>,
}

/// The functions of a file by first line and name.
#[derive(Debug, Default)]
pub(crate) struct Index<'a> {
    functions: HashMap<(u32, &'a str), Vec<Found<'a>>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        let Ok(tree) = &file.tree else {
            return Self::default();
        };
        let mut finder = Finder {
            file,
            class: None,
            functions: HashMap::new(),
        };
        finder.visit_body(tree.suite());
        Self {
            functions: finder.functions,
        }
    }

    /// Which of the functions of this line and name starts at a place, and how many there are; zeros for only one.
    pub(crate) fn place(&self, line: u32, name: &str, at: TextSize) -> (u32, u32) {
        let Some(several) = self.functions.get(&(line, name)).filter(|found| found.len() > 1) else {
            return (0, 0);
        };
        let nth = several.iter().position(|found| found.node.start() == at);
        (nth.unwrap_or_default() as u32, several.len() as u32)
    }

    /// The function of this line and name; of several the one at `place`, which says how many there are as well.
    pub(crate) fn find(&self, line: u32, name: &str, place: Option<(u32, u32)>) -> Option<Found<'a>> {
        let found = self.functions.get(&(line, name))?;
        match (found.as_slice(), place) {
            ([one], None) => Some(*one),
            (several, Some((nth, of))) if several.len() == of as usize => several.get(nth as usize).copied(),
            _ => None,
        }
    }
}

struct Finder<'a> {
    file: &'a File,
    class: Option<&'a str>,
    functions: HashMap<(u32, &'a str), Vec<Found<'a>>>,
}

impl<'a> Finder<'a> {
    fn add(&mut self, at: TextSize, name: &'a str, node: FunctionNode<'a>) {
        let found = Found {
            node,
            class: self.class,
        };
        self.functions
            .entry((self.file.line(at), name))
            .or_default()
            .push(found);
    }
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        match statement {
            ast::Stmt::FunctionDef(def) => {
                let first = def.decorator_list.first().map_or(def.start(), Ranged::start);
                self.add(first, &def.name, FunctionNode::Def(def));
                visitor::walk_stmt(self, statement);
            }
            ast::Stmt::ClassDef(class) => {
                let outer = self.class.replace(&class.name);
                visitor::walk_stmt(self, statement);
                self.class = outer;
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        if let ast::Expr::Lambda(lambda) = expr {
            self.add(lambda.start(), "<lambda>", FunctionNode::Lambda(lambda));
        }
        visitor::walk_expr(self, expr);
    }
}
