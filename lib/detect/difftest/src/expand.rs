//! Writes expressions and statements by the grammar.

use std::collections::BTreeMap;

use crate::access;
use crate::fields::Kind;
use crate::grammar::{Grammar, Line, Needs, Part, Production, Sort, Ty};
use crate::literals;
use crate::rng::Rng;

/// An expression of another type than wanted, this often in a thousand: what rules do by mistake.
const WRONG_PER_MILLE: usize = 9;

/// A suite's variables stay known after it, this often in a hundred, bound or not.
const LEAK_PERCENT: usize = 5;

/// A variable in scope.
#[derive(Debug, Clone)]
pub(crate) struct Var {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    pub(crate) fixed: bool,
}

/// A field, flat.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    pub(crate) types: Vec<Ty>,
    pub(crate) pool: Vec<String>,
}

/// What surrounds an expression or statement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around {
    pub(crate) record: bool,
    pub(crate) context: bool,
    pub(crate) loops: usize,
    pub(crate) functions: usize,
    pub(crate) no_walrus: bool,
    /// No local variable is to be used.
    pub(crate) hidden: bool,
    /// Variables below this index belong to functions around.
    pub(crate) floor: usize,
    pub(crate) returns: Ty,
}

/// Writes one program.
#[derive(Debug)]
pub(crate) struct Writer<'g> {
    pub(crate) grammar: &'g Grammar,
    pub(crate) rng: Rng,
    pub(crate) places: Vec<Place>,
    pub(crate) vars: Vec<Var>,
    /// Module constants.
    pub(crate) globals: Vec<Var>,
    /// Calls of functions that the program defines.
    pub(crate) given: Vec<(Ty, Line)>,
    pub(crate) around: Around,
    pub(crate) budget: isize,
    pub(crate) minor: u8,
    /// The newest version that a production in use needs.
    pub(crate) needs_minor: u8,
    pub(crate) stateful: bool,
    pub(crate) record_name: String,
    pub(crate) coverage: BTreeMap<String, u64>,
    pending: Vec<Var>,
    names: usize,
}

/// Text of an expression, and whether it needs no parentheses.
type Expression = (String, bool);

/// A production at work: names of its binders, and its field.
struct Instance<'p> {
    production: &'p Production,
    names: Vec<String>,
    place: Option<Place>,
}

impl<'g> Writer<'g> {
    pub(crate) fn new(grammar: &'g Grammar, rng: Rng, minor: u8) -> Self {
        Self {
            grammar,
            rng,
            places: Vec::new(),
            vars: Vec::new(),
            globals: Vec::new(),
            given: Vec::new(),
            around: Around::default(),
            budget: 0,
            minor,
            needs_minor: 8,
            stateful: false,
            record_name: "rec".to_owned(),
            coverage: BTreeMap::new(),
            pending: Vec::new(),
            names: 0,
        }
    }

    pub(crate) fn hit(&mut self, name: &str) {
        if let Some(count) = self.coverage.get_mut(name) {
            *count += 1;
        } else {
            self.coverage.insert(name.to_owned(), 1);
        }
    }

    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// The type and all that is as good.
    pub(crate) fn accepted(&self, ty: Ty) -> Vec<Ty> {
        let mut found = vec![ty];
        let mut at = 0;
        while let Some(&next) = found.get(at) {
            for &other in self.grammar.accepts.get(&next).into_iter().flatten() {
                if !found.contains(&other) {
                    found.push(other);
                }
            }
            at += 1;
        }
        found
    }

    fn allowed(&self, production: &Production) -> bool {
        let Needs {
            record,
            context,
            in_loop,
            function,
            state,
            walrus,
        } = production.needs;
        let around = &self.around;
        production.minor <= self.minor
            && (!record || around.record)
            && (!context || around.context)
            && (!in_loop || around.loops > 0)
            && (!function || around.functions > 0)
            && (!state || self.stateful)
            && (!walrus || (!around.no_walrus && around.functions > 0))
            && !(production.opens_loop && around.loops > 1)
            && !(production.opens_function && around.functions > 2)
            && (production.about.is_none() || around.record)
            && self.has_targets(production)
    }

    fn has_targets(&self, production: &Production) -> bool {
        let parts = production.lines.iter().flat_map(|line| &line.parts);
        parts
            .filter_map(|part| match part {
                Part::Target(ty) => Some(*ty),
                _ => None,
            })
            .all(|ty| !self.targets(ty).is_empty())
    }

    fn targets(&self, ty: Ty) -> Vec<&str> {
        let accepted = self.accepted(ty);
        let locals = self.vars.get(self.around.floor..).unwrap_or_default();
        locals
            .iter()
            .filter(|var| !var.fixed && accepted.contains(&var.ty))
            .map(|var| var.name.as_str())
            .collect()
    }

    /// An expression of the type, in parentheses where it needs them to be part of something.
    pub(crate) fn part(&mut self, ty: Ty, depth: usize) -> String {
        let (text, closed) = self.expression(ty, depth);
        if closed { text } else { format!("({text})") }
    }

    /// An expression of the type.
    pub(crate) fn expression(&mut self, ty: Ty, depth: usize) -> Expression {
        let ty = self.perhaps_wrong(ty);
        self.budget -= 1;
        if depth == 0 || self.budget < 0 || self.rng.percent(22) {
            return self.atom(ty, depth);
        }
        let accepted = self.accepted(ty);
        if self.rng.percent(12)
            && let Some(call) = self.given_call(&accepted, depth)
        {
            return (call, true);
        }
        let index = self.choose(&accepted, |_| true);
        match index.and_then(|index| self.grammar.productions.get(index)) {
            Some(production) => self.one_line(production, depth - 1),
            None => self.atom(ty, depth),
        }
    }

    fn perhaps_wrong(&mut self, ty: Ty) -> Ty {
        const PLAIN: [&str; 10] = ["B", "I", "F", "S", "LS", "LI", "T", "D", "O", "Y"];
        let plain = |name: &str| self.grammar.ty(name).ok();
        let wrong: Vec<Ty> = PLAIN.iter().filter_map(|name| plain(name)).collect();
        if wrong.contains(&ty) && self.rng.below(1000) < WRONG_PER_MILLE {
            self.hit("wrong type");
            return self.rng.pick(&wrong);
        }
        ty
    }

    fn given_call(&mut self, accepted: &[Ty], depth: usize) -> Option<String> {
        let calls: Vec<usize> = self
            .given
            .iter()
            .enumerate()
            .filter(|(_, (ty, line))| {
                let record = line.parts.iter().any(|part| matches!(part, Part::Record));
                accepted.contains(ty) && (!record || self.around.record)
            })
            .map(|(index, _)| index)
            .collect();
        let line = self.given.get(self.rng.pick(&calls))?.1.clone();
        if calls.is_empty() {
            return None;
        }
        self.hit("call of a defined function");
        let mut text = String::new();
        for part in &line.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Hole { ty, atom, .. } => {
                    text.push_str(&self.part(*ty, if *atom { 0 } else { depth - 1 }))
                }
                Part::Record => text.push_str(&self.record_name),
                Part::Small => text.push_str(&self.small()),
                _ => {}
            }
        }
        Some(text)
    }

    fn choose(&mut self, accepted: &[Ty], wanted: impl Fn(&Production) -> bool) -> Option<usize> {
        let grammar = self.grammar;
        let mut fitting: Vec<(usize, u32)> = Vec::new();
        for &ty in accepted {
            for (index, production) in grammar.of(ty) {
                if wanted(production) && self.allowed(production) {
                    fitting.push((index, production.weight));
                }
            }
        }
        let total: u32 = fitting.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.below(total as usize);
        for (index, weight) in fitting {
            let weight = weight as usize;
            if left < weight {
                return Some(index);
            }
            left -= weight;
        }
        None
    }

    /// A field, variable, constant or literal.
    pub(crate) fn atom(&mut self, ty: Ty, depth: usize) -> Expression {
        let accepted = self.accepted(ty);
        let dice = self.rng.below(100);
        if dice < 44
            && self.around.record
            && let Some(text) = access::any(self, &accepted)
        {
            return (text, true);
        }
        if dice < 82
            && let Some(name) = self.variable(&accepted)
        {
            return (name, true);
        }
        if let Some(index) = self.choose(&accepted, |production| production.atom)
            && let Some(production) = self.grammar.productions.get(index)
        {
            return self.one_line(production, depth.saturating_sub(1));
        }
        (
            self.variable(&accepted).unwrap_or_else(|| "None".to_owned()),
            true,
        )
    }

    fn variable(&mut self, accepted: &[Ty]) -> Option<String> {
        let fits = |var: &&Var| accepted.contains(&var.ty);
        let shown = if self.around.hidden {
            &[]
        } else {
            self.vars.as_slice()
        };
        let locals: Vec<String> = shown.iter().filter(fits).map(|var| var.name.clone()).collect();
        let globals: Vec<String> = self
            .globals
            .iter()
            .filter(fits)
            .map(|var| var.name.clone())
            .collect();
        let first = if self.rng.percent(70) { &locals } else { &globals };
        let second = if first.is_empty() {
            if locals.is_empty() { &globals } else { &locals }
        } else {
            first
        };
        let name = self.rng.pick(second);
        (!name.is_empty()).then_some(name)
    }

    fn one_line(&mut self, production: &'g Production, depth: usize) -> Expression {
        let instance = self.begin(production);
        let outer = self.around;
        let vars = self.vars.len();
        if production.opens_function {
            self.around.functions += 1;
            self.around.no_walrus = true;
        }
        let text = production
            .lines
            .iter()
            .map(|line| self.line(&instance, line, depth))
            .collect::<String>();
        self.around = outer;
        self.vars.truncate(vars);
        for (binder, name) in production.binders.iter().zip(&instance.names) {
            if binder.kept {
                self.pending.push(Var {
                    name: name.clone(),
                    ty: binder.ty,
                    fixed: binder.fixed,
                });
            }
        }
        (text, production.closed)
    }

    fn begin<'p>(&mut self, production: &'p Production) -> Instance<'p> {
        self.hit(&production.name);
        self.needs_minor = self.needs_minor.max(production.minor);
        let names = production.binders.iter().map(|_| self.fresh("v")).collect();
        let place = production.about.and_then(|ty| {
            let accepted = self.accepted(ty);
            let fits = |place: &&Place| place.types.iter().any(|ty| accepted.contains(ty));
            let places: Vec<usize> = (0..self.places.len())
                .filter(|&index| self.places.get(index).as_ref().is_some_and(fits))
                .collect();
            let chosen = if places.is_empty() {
                0
            } else {
                self.rng.pick(&places)
            };
            self.places.get(chosen).cloned()
        });
        Instance {
            production,
            names,
            place,
        }
    }

    fn line(&mut self, instance: &Instance<'_>, line: &Line, depth: usize) -> String {
        let mut text = String::new();
        for part in &line.parts {
            let piece = match part {
                Part::Text(piece) => piece.clone(),
                Part::Hole {
                    ty,
                    atom,
                    no_walrus,
                    constant,
                    scope,
                } => {
                    let outer = self.around;
                    if *constant {
                        self.around.record = false;
                        self.around.floor = self.vars.len();
                        self.around.hidden = true;
                    }
                    let text = self.hole(instance, (*ty, *atom, *no_walrus), scope, depth);
                    self.around = outer;
                    text
                }
                Part::Name(index) => instance.names.get(*index).cloned().unwrap_or_default(),
                Part::Target(ty) => {
                    let names: Vec<String> = self.targets(*ty).into_iter().map(str::to_owned).collect();
                    self.rng.pick(&names)
                }
                Part::Record => self.record_name.clone(),
                Part::Returned(scope) => {
                    self.hole(instance, (self.around.returns, false, false), scope, depth)
                }
                Part::Field => match &instance.place {
                    Some(place) => {
                        let text = access::of(self, place);
                        let bad = instance.production.formatted && text.contains(['"', '\\', '{', '#']);
                        if bad { self.record_name.clone() } else { text }
                    }
                    None => "None".to_owned(),
                },
                Part::Hit => self.constant_of(instance.place.as_ref()),
                Part::Hits => {
                    let items: Vec<String> = (0..self.rng.between(1, 4))
                        .map(|_| self.constant_of(instance.place.as_ref()))
                        .collect();
                    items.join(", ")
                }
                Part::Small => self.small(),
                Part::Literal(sort) => self.literal(*sort),
                Part::Block(_) => String::new(),
            };
            text.push_str(&piece);
        }
        text
    }

    fn literal(&mut self, sort: Sort) -> String {
        let rng = &mut self.rng;
        match sort {
            Sort::Bytes => literals::python_bytes(rng),
            Sort::Of(Kind::Int) => literals::python_int(rng),
            Sort::Of(Kind::Float) => literals::python_float(rng),
            Sort::Of(kind) => literals::python(&literals::json(rng, kind)),
        }
    }

    fn small(&mut self) -> String {
        const SMALL: [&str; 12] = ["0", "1", "1", "2", "2", "3", "4", "5", "8", "12", "-1", "-2"];
        self.rng.pick(&SMALL).to_owned()
    }

    fn constant_of(&mut self, place: Option<&Place>) -> String {
        let text = match place {
            Some(place) if !place.pool.is_empty() && !self.rng.percent(8) => self.rng.pick(&place.pool),
            Some(place) => literals::json(&mut self.rng, place.kind),
            None => literals::json(&mut self.rng, Kind::Word),
        };
        let text = literals::python(&text);
        // `1.lower()` is no Python.
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return format!("({text})");
        }
        text
    }

    fn hole(
        &mut self,
        instance: &Instance<'_>,
        (ty, atom, no_walrus): (Ty, bool, bool),
        scope: &[usize],
        depth: usize,
    ) -> String {
        let (vars, outer) = (self.vars.len(), self.around.no_walrus);
        self.around.no_walrus |= no_walrus;
        self.bring(instance, scope);
        let depth = if atom { 0 } else { depth };
        let mut text = self.part(ty, depth);
        if instance.production.formatted && text.contains(['"', '\\', '{', '\n', '#']) {
            text = self.variable(&[ty]).unwrap_or_else(|| "1".to_owned());
        }
        self.around.no_walrus = outer;
        self.vars.truncate(vars);
        text
    }

    fn bring(&mut self, instance: &Instance<'_>, scope: &[usize]) {
        for &index in scope {
            if let (Some(binder), Some(name)) =
                (instance.production.binders.get(index), instance.names.get(index))
            {
                self.vars.push(Var {
                    name: name.clone(),
                    ty: binder.ty,
                    fixed: binder.fixed,
                });
            }
        }
    }

    /// A definition or statement of the type, as lines.
    pub(crate) fn statement(&mut self, ty: Ty, depth: usize, out: &mut Vec<String>, indent: usize) {
        let Some(index) = self.choose(&[ty], |_| true) else {
            return;
        };
        let Some(production) = self.grammar.productions.get(index) else {
            return;
        };
        let instance = self.begin(production);
        let (outer, given, vars) = (self.around, self.given.len(), self.vars.len());
        let mut after_loop = false;
        for line in &production.lines {
            let here = indent + line.indent;
            let whole = match line.parts.as_slice() {
                [Part::Text(before), Part::Block(scope), ..] if before.is_empty() => Some(scope),
                _ => None,
            };
            if line.indent > 0 {
                self.enter(production, outer, vars);
            } else {
                self.around = outer;
                after_loop |= production.opens_loop
                    && matches!(line.parts.first(), Some(Part::Text(text)) if text == "else:");
            }
            if after_loop {
                self.around.loops = outer.loops;
            }
            match whole {
                Some(scope) => self.suite(&instance, scope, depth.saturating_sub(1), (out, here)),
                None => {
                    let text = self.line(&instance, line, depth);
                    out.push(format!("{}{text}", " ".repeat(here)));
                }
            }
        }
        self.around = outer;
        self.given.truncate(given);
        if production.opens_function {
            self.vars.truncate(vars);
            self.pending.clear();
        }
        self.finish(production, &instance);
    }

    fn enter(&mut self, production: &Production, outer: Around, vars: usize) {
        if production.opens_function {
            self.around.functions = outer.functions + 1;
            self.around.loops = 0;
            self.around.floor = vars;
            self.around.returns = production.returns.unwrap_or(outer.returns);
        } else if production.opens_loop {
            self.around.loops = outer.loops + 1;
        }
    }

    fn finish(&mut self, production: &Production, instance: &Instance<'_>) {
        let pending = std::mem::take(&mut self.pending);
        if self.around.functions > 0 {
            self.vars.extend(pending);
        }
        for (binder, name) in production.binders.iter().zip(&instance.names) {
            if binder.kept {
                self.vars.push(Var {
                    name: name.clone(),
                    ty: binder.ty,
                    fixed: binder.fixed,
                });
            }
        }
        for (ty, line) in &production.gives {
            let resolved = line.parts.iter().map(|part| match part {
                Part::Name(index) => Part::Text(instance.names.get(*index).cloned().unwrap_or_default()),
                other => other.clone(),
            });
            let parts = resolved.collect();
            self.given.push((*ty, Line { indent: 0, parts }));
        }
    }

    fn suite(
        &mut self,
        instance: &Instance<'_>,
        scope: &[usize],
        depth: usize,
        (out, indent): (&mut Vec<String>, usize),
    ) {
        let vars = self.vars.len();
        self.bring(instance, scope);
        let most = if self.budget > 60 { 3 } else { 1 };
        let count = self.rng.between(1, most);
        self.statements(count, depth, out, indent);
        // What a function's body binds is known to its last lines.
        if !instance.production.opens_function && !self.rng.percent(LEAK_PERCENT) {
            self.vars.truncate(vars);
        }
    }

    /// So many statements.
    pub(crate) fn statements(&mut self, count: usize, depth: usize, out: &mut Vec<String>, indent: usize) {
        let given = self.given.len();
        let Ok(ty) = self.grammar.ty("stmt") else { return };
        for _ in 0..count {
            if self.budget < 0 || depth == 0 {
                break;
            }
            self.statement(ty, depth, out, indent);
        }
        if self.budget < 0 || depth == 0 || count == 0 {
            out.push(format!("{}pass", " ".repeat(indent)));
        }
        self.given.truncate(given);
    }
}
