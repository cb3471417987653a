//! Expressions that several places share: pure ones that look at nothing but one local. Where that local is the
//! record, the first place to be evaluated keeps the value for the others ([`Expr::Memo`]).

use std::collections::HashMap;

use super::pure::callees_of_expr;
use super::walk_mut::{children_mut, walk_body_mut};
use crate::ir::{Body, Code, Comprehension, Expr, FStringPart, Item, MemoExpr, Target};
use crate::program::{Const, ConstId, Program};

/// What keeping and finding a value costs, in the unit of [`Shape::cost`]: about one look at a field.
const COST_MIN: u32 = 3;

/// Replaces what is shared; answers how many slots there are.
pub(super) fn share(program: &mut Program) -> u32 {
    let pure: Vec<bool> = program.codes.iter().map(|code| code.is_pure).collect();
    let mut sharer = Sharer {
        consts: &program.consts,
        pure: &pure,
        safe: HashMap::new(),
        shapes: HashMap::new(),
        texts: HashMap::new(),
        counts: Vec::new(),
        slots: None,
        next: 0,
        fresh: Vec::new(),
        params: 0,
    };
    for code in &mut program.codes {
        sharer.code(code);
    }
    sharer.slots = Some(HashMap::new());
    for code in &mut program.codes {
        sharer.code(code);
    }
    sharer.next
}

/// What is known of an expression.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Equal for equal expressions; `None` when it cannot be shared, nor anything around it.
    id: Option<u32>,
    /// The one local it looks at.
    local: Option<u16>,
    /// It looks at variables of comprehensions around it, outermost of them from 1; 0 for none.
    fresh: u32,
    /// Rough cost; one look at a field costs 1.
    cost: u32,
}

struct Sharer<'a> {
    consts: &'a [Const],
    pure: &'a [bool],
    /// Whether calling a constant is pure.
    safe: HashMap<ConstId, bool>,
    shapes: HashMap<Vec<u32>, u32>,
    texts: HashMap<Box<str>, u32>,
    counts: Vec<u32>,
    /// Slots by shape; `None` while counting.
    slots: Option<HashMap<u32, u32>>,
    next: u32,
    /// Variables of the comprehensions around, outermost first, with their depth.
    fresh: Vec<(u16, u32)>,
    params: u16,
}

impl Sharer<'_> {
    fn code(&mut self, code: &mut Code) {
        let params = &code.params;
        let named = params.positional.len() + params.keyword_only.len();
        let stars = usize::from(params.star.is_some()) + usize::from(params.double_star.is_some());
        self.params = if code.is_generator {
            0
        } else {
            (named + stars) as u16
        };
        self.fresh.clear();
        self.body(&mut code.body);
    }

    fn body(&mut self, body: &mut Body) {
        walk_body_mut(body, &mut |expr| {
            let shape = self.shape(expr);
            self.wrap(expr, shape, None);
        });
    }

    fn count(&self, shape: Shape) -> u32 {
        match shape.id {
            Some(id) if shape.local.is_some() && shape.fresh == 0 && shape.cost >= COST_MIN => {
                self.counts.get(id as usize).copied().unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Puts a memo around an expression that is shared more often than what is around it.
    fn wrap(&mut self, expr: &mut Expr, shape: Shape, around: Option<Shape>) {
        let count = self.count(shape);
        if count < 2 || around.is_some_and(|around| self.count(around) >= count) {
            return;
        }
        let (Some(slots), Some(id), Some(local)) = (&mut self.slots, shape.id, shape.local) else {
            return;
        };
        let slot = *slots.entry(id).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        let inner = std::mem::replace(expr, Expr::Missing(Box::default()));
        *expr = Expr::Memo(Box::new(MemoExpr {
            slot,
            local,
            expr: inner,
        }));
    }

    /// The shape of an expression; what is within is wrapped where that pays.
    fn shape(&mut self, expr: &mut Expr) -> Shape {
        let shape = match expr {
            Expr::Path(path) => {
                // A field is found faster than a memo; what it stands for tells it from others.
                let inner = self.shape_only(&mut path.otherwise);
                Shape { cost: 1, ..inner }
            }
            Expr::Comprehension(comp) => return self.comprehension(comp),
            _ => return self.generic(expr),
        };
        self.counted(shape)
    }

    /// The shape without counting or wrapping anything within.
    fn shape_only(&mut self, expr: &mut Expr) -> Shape {
        let slots = self.slots.take();
        let counts = std::mem::take(&mut self.counts);
        let shape = self.shape(expr);
        self.counts = counts;
        self.slots = slots;
        shape
    }

    fn counted(&mut self, shape: Shape) -> Shape {
        if self.slots.is_none()
            && let Some(id) = shape.id
        {
            let id = id as usize;
            if self.counts.len() <= id {
                self.counts.resize(id + 1, 0);
            }
            if let Some(count) = self.counts.get_mut(id) {
                *count += 1;
            }
        }
        shape
    }

    fn generic(&mut self, expr: &mut Expr) -> Shape {
        let head = self.head(expr);
        let shapes: Vec<Shape> = children_mut(expr)
            .into_iter()
            .map(|child| self.shape(child))
            .collect();
        let own = match head {
            Some((key, cost)) => self.combine(key, cost, &shapes),
            None => Shape::default(),
        };
        let own = self.locals(expr, own);
        let own = self.counted(own);
        for (child, shape) in children_mut(expr).into_iter().zip(shapes) {
            self.wrap(child, shape, own.id.map(|_| own));
        }
        own
    }

    /// A local is the same expression whatever its number, when it is the only one.
    fn locals(&self, expr: &Expr, shape: Shape) -> Shape {
        let Expr::Local(local) = expr else {
            return shape;
        };
        match self.fresh.iter().rev().find(|(fresh, _)| fresh == local) {
            Some((_, depth)) => Shape {
                fresh: *depth,
                ..shape
            },
            None if *local < self.params => Shape {
                local: Some(*local),
                ..shape
            },
            None => Shape::default(),
        }
    }

    fn combine(&mut self, mut key: Vec<u32>, cost: u32, parts: &[Shape]) -> Shape {
        let mut whole = Shape {
            id: None,
            local: None,
            fresh: 0,
            cost,
        };
        for part in parts {
            let Some(id) = part.id else {
                return Shape::default();
            };
            match (whole.local, part.local) {
                (Some(a), Some(b)) if a != b => return Shape::default(),
                (known, new) => whole.local = known.or(new),
            }
            whole.fresh = match (whole.fresh, part.fresh) {
                (0, fresh) | (fresh, 0) => fresh,
                (a, b) => a.min(b),
            };
            whole.cost = whole.cost.saturating_add(part.cost);
            key.push(id);
        }
        whole.id = Some(self.intern(key));
        whole
    }

    fn intern(&mut self, key: Vec<u32>) -> u32 {
        let next = self.shapes.len() as u32;
        *self.shapes.entry(key).or_insert(next)
    }

    fn text(&mut self, text: &str) -> u32 {
        let next = self.texts.len() as u32;
        *self.texts.entry(text.into()).or_insert(next)
    }

    fn is_safe(&mut self, id: ConstId) -> bool {
        if let Some(known) = self.safe.get(&id) {
            return *known;
        }
        let called = callees_of_expr(&Expr::Const(id), self.consts);
        let safe = called.is_some_and(|called| {
            called
                .iter()
                .all(|code| self.pure.get(*code as usize).copied().unwrap_or_default())
        });
        self.safe.insert(id, safe);
        safe
    }

    /// What tells an expression from others beside its parts, and what it costs without them; `None` when it cannot
    /// be shared.
    fn head(&mut self, expr: &Expr) -> Option<(Vec<u32>, u32)> {
        Some(match expr {
            Expr::Const(id) => {
                if !self.is_safe(*id) {
                    return None;
                }
                (vec![1, *id], 0)
            }
            Expr::Local(local) => match self.fresh.iter().position(|(fresh, _)| fresh == local) {
                Some(at) => (vec![2, at as u32], 0),
                None => (vec![3], 0),
            },
            Expr::Attr(inner) => (vec![4, self.text(&inner.1)], 2),
            Expr::Index(_) => (vec![5], 2),
            Expr::Slice(_) => (vec![6], 1),
            Expr::Unary(op, _) => (vec![7, *op as u32], 1),
            Expr::Binary(op, _) => (vec![8, *op as u32], 2),
            Expr::And(parts) => (vec![9, parts.len() as u32], 0),
            Expr::Or(parts) => (vec![10, parts.len() as u32], 0),
            Expr::Compare(inner) => {
                let mut key = vec![11];
                key.extend(inner.1.iter().map(|(op, _)| *op as u32));
                let cost = inner.1.iter().map(|(op, _)| match op {
                    crate::ir::CompareOp::In | crate::ir::CompareOp::NotIn => 2,
                    _ => 1,
                });
                let cost = cost.sum();
                (key, cost)
            }
            Expr::IfElse(_) => (vec![12], 1),
            Expr::Call(call) if matches!(call.func, Expr::Const(_)) => {
                let mut key = vec![13];
                self.args(&call.args, &mut key);
                (key, 5)
            }
            Expr::MethodCall(call) => {
                let mut key = vec![14, self.text(&call.site.name)];
                self.args(&call.args, &mut key);
                (key, 3)
            }
            Expr::Tuple(items) => (self.items(15, items), 1),
            Expr::List(items) => (self.items(16, items), 1),
            Expr::Set(items) => (self.items(17, items), 1),
            Expr::Dict(entries) => {
                let mut key = vec![18];
                key.extend(entries.iter().map(|(key, _)| u32::from(key.is_some())));
                (key, 1)
            }
            Expr::FString(parts) => {
                let mut key = vec![19];
                self.parts(parts, &mut key);
                (key, 4)
            }
            _ => return None,
        })
    }

    fn items(&self, tag: u32, items: &[Item]) -> Vec<u32> {
        let mut key = vec![tag];
        key.extend(items.iter().map(|item| u32::from(matches!(item, Item::Star(_)))));
        key
    }

    fn args(&mut self, args: &crate::ir::CallArgs, key: &mut Vec<u32>) {
        key.push(args.positional.len() as u32);
        key.extend(
            args.positional
                .iter()
                .map(|item| u32::from(matches!(item, Item::Star(_)))),
        );
        for (name, _) in &args.keywords {
            let name = name.as_deref().map_or(u32::MAX, |name| self.text(name));
            key.push(name);
        }
    }

    fn parts(&mut self, parts: &[FStringPart], key: &mut Vec<u32>) {
        key.push(parts.len() as u32);
        for part in parts {
            match part {
                FStringPart::Text(text) => {
                    let text = self.text(text);
                    key.extend([0, text]);
                }
                FStringPart::Value(_, conversion, spec) => {
                    key.extend([1, *conversion as u32, u32::from(spec.is_some())]);
                    if let Some(spec) = spec {
                        self.parts(spec, key);
                    }
                }
            }
        }
    }

    fn comprehension(&mut self, comp: &mut Comprehension) -> Shape {
        let outer = self.fresh.len();
        let depth = self.fresh.last().map_or(0, |(_, depth)| *depth) + 1;
        let mut key = vec![
            20,
            comp.kind as u32,
            u32::from(comp.is_generator),
            comp.clauses.len() as u32,
        ];
        self.fresh
            .extend(comp.fresh_locals.iter().map(|local| (*local, depth)));
        let mut plain = comp.fresh_cells.is_empty();
        for clause in &comp.clauses {
            plain &= self.target(&clause.target, &mut key);
            key.push(clause.conditions.len() as u32);
        }
        let mut shapes = Vec::new();
        for part in parts_mut(comp) {
            shapes.push(self.shape(part));
        }
        let mut own = if plain {
            self.combine(key, 8, &shapes)
        } else {
            Shape::default()
        };
        if own.fresh >= depth {
            own.fresh = 0;
        }
        let own = self.counted(own);
        for (part, shape) in parts_mut(comp).into_iter().zip(shapes) {
            self.wrap(part, shape, own.id.map(|_| own));
        }
        self.fresh.truncate(outer);
        own
    }

    /// The places of a target's variables among those of comprehensions; false when it is anything else.
    fn target(&self, target: &Target, key: &mut Vec<u32>) -> bool {
        match target {
            Target::Local(local) => match self.fresh.iter().position(|(fresh, _)| fresh == local) {
                Some(at) => {
                    key.push(at as u32);
                    true
                }
                None => false,
            },
            Target::Unpack(targets, star) => {
                key.extend([
                    u32::MAX,
                    targets.len() as u32,
                    star.map_or(u32::MAX, |star| star as u32),
                ]);
                targets.iter().all(|target| self.target(target, key))
            }
            _ => false,
        }
    }
}

fn parts_mut(comp: &mut Comprehension) -> Vec<&mut Expr> {
    let mut parts = Vec::new();
    for clause in &mut comp.clauses {
        parts.push(&mut clause.iter);
        parts.extend(clause.conditions.iter_mut());
    }
    parts.push(&mut comp.element);
    parts.extend(comp.value.as_mut());
    parts
}
