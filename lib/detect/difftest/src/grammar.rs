//! The grammar: productions as data, read from the files in `grammar/`, whose heads explain the notation.

use std::collections::BTreeMap;

use crate::fields::Kind;

/// The files, in the order in which they are read.
const FILES: [(&str, &str); 6] = [
    ("types.txt", include_str!("../grammar/types.txt")),
    ("predicates.txt", include_str!("../grammar/predicates.txt")),
    ("expressions.txt", include_str!("../grammar/expressions.txt")),
    ("modules.txt", include_str!("../grammar/modules.txt")),
    ("statements.txt", include_str!("../grammar/statements.txt")),
    ("helpers.txt", include_str!("../grammar/helpers.txt")),
];

/// A type of the grammar; an index into [`Grammar::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Ty(pub(crate) usize);

/// A name that a production introduces.
#[derive(Debug, Clone)]
pub(crate) struct Binder {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    /// Known in what follows the statement, too.
    pub(crate) kept: bool,
    /// Not to be assigned to, as a loop's counter.
    pub(crate) fixed: bool,
}

/// What a random literal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Of(Kind),
    Bytes,
}

const SORTS: [(&str, Sort); 14] = [
    ("Word", Sort::Of(Kind::Word)),
    ("Text", Sort::Of(Kind::Text)),
    ("Ip", Sort::Of(Kind::Ip)),
    ("Cidr", Sort::Of(Kind::Cidr)),
    ("Url", Sort::Of(Kind::Url)),
    ("Json", Sort::Of(Kind::Json)),
    ("Base64", Sort::Of(Kind::Base64)),
    ("Time", Sort::Of(Kind::Time)),
    ("Digits", Sort::Of(Kind::Digits)),
    ("Path", Sort::Of(Kind::Path)),
    ("Int", Sort::Of(Kind::Int)),
    ("Float", Sort::Of(Kind::Float)),
    ("Counts", Sort::Of(Kind::Counts)),
    ("Bytes", Sort::Bytes),
];

/// A piece of a template.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(String),
    /// An expression of a type; `scope` are the binders known in it.
    Hole {
        ty: Ty,
        atom: bool,
        no_walrus: bool,
        /// Known when the module is loaded: without the record and the function's variables.
        constant: bool,
        scope: Vec<usize>,
    },
    /// The name of a binder.
    Name(usize),
    /// The name of a local variable of a type that may be assigned to.
    Target(Ty),
    /// The record's name.
    Record,
    /// A suite; stands alone in its line.
    Block(Vec<usize>),
    /// An expression of the type that the function returns.
    Returned(Vec<usize>),
    /// The field that this production is about, and a constant that it may equal.
    Field,
    Hit,
    /// Several such constants, with commas.
    Hits,
    /// A small integer literal.
    Small,
    /// A random literal of this sort.
    Literal(Sort),
}

/// A line of a template.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) indent: usize,
    pub(crate) parts: Vec<Part>,
}

/// What a production needs around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) record: bool,
    pub(crate) context: bool,
    pub(crate) in_loop: bool,
    pub(crate) function: bool,
    pub(crate) state: bool,
    pub(crate) walrus: bool,
}

/// One way to write an expression or statement.
#[derive(Debug, Clone)]
pub(crate) struct Production {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    pub(crate) weight: u32,
    /// The type of the field that it is about, when it is about one.
    pub(crate) about: Option<Ty>,
    /// The type that the function which it defines returns.
    pub(crate) returns: Option<Ty>,
    pub(crate) needs: Needs,
    /// Minor version of Python 3 that it needs.
    pub(crate) minor: u8,
    /// Good where nothing deeper is wanted.
    pub(crate) atom: bool,
    /// Opens a loop or a function.
    pub(crate) opens_loop: bool,
    pub(crate) opens_function: bool,
    /// Parts lie within an f-string, where older versions take neither quotes nor backslashes.
    pub(crate) formatted: bool,
    /// Needs no parentheses as a part of something.
    pub(crate) closed: bool,
    pub(crate) binders: Vec<Binder>,
    pub(crate) lines: Vec<Line>,
    /// Productions that come into being with it, such as calls of the function that it defines.
    pub(crate) gives: Vec<(Ty, Line)>,
}

/// All productions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grammar {
    pub(crate) types: Vec<String>,
    /// What else is good where a type is wanted.
    pub(crate) accepts: BTreeMap<Ty, Vec<Ty>>,
    pub(crate) productions: Vec<Production>,
    by_type: BTreeMap<Ty, Vec<usize>>,
}

impl Grammar {
    /// Reads the files.
    ///
    /// # Errors
    /// Names file and line of what is no production.
    pub(crate) fn read() -> Result<Self, String> {
        let mut grammar = Self::default();
        for (file, text) in FILES {
            grammar.file(text).map_err(|error| format!("{file}: {error}"))?;
        }
        for (index, production) in grammar.productions.iter().enumerate() {
            grammar.by_type.entry(production.ty).or_default().push(index);
        }
        Ok(grammar)
    }

    /// The type of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn ty(&self, name: &str) -> Result<Ty, String> {
        let found = self.types.iter().position(|known| known == name);
        found.map(Ty).ok_or_else(|| format!("no type {name}"))
    }

    /// The productions of exactly this type.
    pub(crate) fn of(&self, ty: Ty) -> impl Iterator<Item = (usize, &Production)> {
        let indexes = self.by_type.get(&ty).map_or(&[][..], Vec::as_slice);
        indexes
            .iter()
            .filter_map(|&index| Some((index, self.productions.get(index)?)))
    }

    fn file(&mut self, text: &str) -> Result<(), String> {
        let lines: Vec<&str> = text.lines().collect();
        let mut at = 0;
        while let Some(&line) = lines.get(at) {
            at += 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let head = at;
            let end = lines
                .get(at..)
                .unwrap_or_default()
                .iter()
                .position(|next| !next.starts_with("    "));
            let body = lines
                .get(at..end.map_or(lines.len(), |count| at + count))
                .unwrap_or_default();
            at += body.len();
            self.entry(line, body)
                .map_err(|error| format!("line {head}: {error}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, line: &str, body: &[&str]) -> Result<(), String> {
        if let Some(names) = line.strip_prefix("types ") {
            self.types.extend(names.split_whitespace().map(str::to_owned));
            return Ok(());
        }
        if let Some(rule) = line.strip_prefix("accept ") {
            let (ty, names) = rule.split_once(':').ok_or("accept TYPE: TYPES")?;
            let ty = self.ty(ty.trim())?;
            let accepted = names
                .split_whitespace()
                .map(|name| self.ty(name))
                .collect::<Result<Vec<_>, _>>()?;
            self.accepts.entry(ty).or_default().extend(accepted);
            return Ok(());
        }
        let production = self.production(line, body)?;
        if self.productions.iter().any(|other| other.name == production.name) {
            return Err(format!("second production {}", production.name));
        }
        self.productions.push(production);
        Ok(())
    }

    fn production(&self, line: &str, body: &[&str]) -> Result<Production, String> {
        let (head, template) = line.split_once("::").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name = words.next().ok_or("no name")?.to_owned();
        let ty = self.ty(words.next().ok_or("no type")?)?;
        let weight = words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or("no weight")?;
        let mut production = Production {
            name,
            ty,
            weight,
            about: None,
            returns: None,
            needs: Needs::default(),
            minor: 8,
            atom: false,
            opens_loop: false,
            opens_function: false,
            formatted: false,
            closed: is_closed(template.trim()),
            binders: Vec::new(),
            lines: Vec::new(),
            gives: Vec::new(),
        };
        for word in words {
            self.flag(&mut production, word)?;
        }
        if !template.trim().is_empty() {
            production
                .lines
                .push(self.line(template.trim(), &production.binders)?);
        }
        for line in body {
            let text = line.get(4..).unwrap_or_default();
            if let Some(given) = text.strip_prefix("=> ") {
                let (ty, call) = given.split_once(' ').ok_or("=> TYPE TEMPLATE")?;
                let call = self.line(call, &production.binders)?;
                production.gives.push((self.ty(ty)?, call));
            } else {
                production.lines.push(self.line(text, &production.binders)?);
            }
        }
        if production.lines.is_empty() {
            return Err("no template".into());
        }
        Ok(production)
    }

    fn flag(&self, production: &mut Production, word: &str) -> Result<(), String> {
        match word {
            "rec" => production.needs.record = true,
            "ctx" => production.needs.context = true,
            "inloop" => production.needs.in_loop = true,
            "infunction" => production.needs.function = true,
            "state" => production.needs.state = true,
            "walrus" => production.needs.walrus = true,
            "atom" => production.atom = true,
            "loop" => production.opens_loop = true,
            "def" => production.opens_function = true,
            "fstring" => production.formatted = true,
            _ => {
                if let Some(minor) = word.strip_prefix(">=3.") {
                    production.minor = minor.parse().map_err(|_| format!("no version {word}"))?;
                    return Ok(());
                }
                if let Some(ty) = word.strip_prefix("ret:") {
                    production.returns = Some(self.ty(ty)?);
                    return Ok(());
                }
                if let Some(ty) = word.strip_prefix("about:") {
                    production.about = Some(self.ty(ty)?);
                    return Ok(());
                }
                let (name, ty) = word.split_once(':').ok_or_else(|| format!("no flag {word}"))?;
                let kept = ty.contains('!');
                let fixed = ty.contains('#');
                let ty = self.ty(ty.trim_end_matches(['!', '#']))?;
                production.binders.push(Binder {
                    name: name.to_owned(),
                    ty,
                    kept,
                    fixed,
                });
            }
        }
        Ok(())
    }

    fn line(&self, text: &str, binders: &[Binder]) -> Result<Line, String> {
        let trimmed = text.trim_start();
        let indent = text.len() - trimmed.len();
        let mut parts = Vec::new();
        let mut pieces = trimmed.split('$');
        parts.push(Part::Text(pieces.next().unwrap_or_default().to_owned()));
        let mut escaped = false;
        for piece in pieces {
            if escaped {
                escaped = false;
                parts.push(Part::Text(format!("${piece}")));
            } else if piece.is_empty() {
                escaped = true;
            } else {
                let rest = self.hole(piece, binders, &mut parts)?;
                parts.push(Part::Text(rest.to_owned()));
            }
        }
        Ok(Line { indent, parts })
    }

    /// Reads one hole off the front of the text, which comes after its `$`.
    fn hole<'t>(&self, text: &'t str, binders: &[Binder], parts: &mut Vec<Part>) -> Result<&'t str, String> {
        let target = text.strip_prefix('&');
        let text = target.unwrap_or(text);
        let end = text
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(text.len());
        let (word, mut rest) = text.split_at(end);
        // The iterable of a comprehension.
        let before = parts.last();
        let mut no_walrus = matches!(before, Some(Part::Text(before)) if before.ends_with(" in "));
        let mut constant = false;
        if let Some(after) = rest.strip_prefix('^') {
            (constant, rest) = (true, after);
        }
        if let Some(after) = rest.strip_prefix('~') {
            (no_walrus, rest) = (true, after);
        }
        let mut scope = Vec::new();
        if let Some(after) = rest.strip_prefix('+')
            && after.starts_with(|c: char| c.is_ascii_lowercase())
        {
            let end = after
                .find(|c: char| !c.is_ascii_lowercase() && c != '+')
                .unwrap_or(after.len());
            for name in after.split_at(end).0.split('+') {
                let found = binders.iter().position(|binder| binder.name == name);
                scope.push(found.ok_or_else(|| format!("no binder {name}"))?);
            }
            rest = after.split_at(end).1;
        }
        if let Some(sort) = word.strip_prefix("lit") {
            let found = SORTS.iter().find(|(name, _)| *name == sort);
            parts.push(Part::Literal(
                found.ok_or_else(|| format!("no literal {word}"))?.1,
            ));
            return Ok(rest);
        }
        let bound = binders.iter().position(|binder| binder.name == word);
        parts.push(match word {
            _ if target.is_some() => Part::Target(self.ty(word)?),
            "rec" => Part::Record,
            "block" => Part::Block(scope),
            "ret" => Part::Returned(scope),
            "Field" => Part::Field,
            "Hit" => Part::Hit,
            "Hits" => Part::Hits,
            "n" => Part::Small,
            _ => match bound {
                Some(index) => Part::Name(index),
                None => Part::Hole {
                    ty: self.ty(word.trim_end_matches('0'))?,
                    atom: word.ends_with('0'),
                    no_walrus,
                    constant,
                    scope,
                },
            },
        });
        Ok(rest)
    }
}

/// Whether a template is one primary: no operator or space outside of brackets and quotes.
fn is_closed(template: &str) -> bool {
    let (mut depth, mut quote) = (0_usize, None);
    for c in template.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ' ' | '*' | '-' | '~') if depth == 0 => return false,
            _ => {}
        }
    }
    !template.ends_with("0~")
}
