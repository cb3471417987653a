//! Comprehensions of the module level.

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::expr::{Unknown, unknown};
use super::module::Module;
use crate::export::{Object, ObjectId};

/// Longer ones are not run.
const ROUNDS_MAX: usize = 100_000;

/// What the rounds have made: elements, or keys and values.
#[derive(Default)]
struct Made {
    elements: Vec<(ObjectId, ObjectId)>,
    rounds: usize,
}

impl Module<'_, '_> {
    /// A list, set or dictionary comprehension.
    pub(super) fn comprehension(&mut self, expr: &ast::Expr) -> Result<ObjectId, Unknown> {
        let (clauses, key, value) = match expr {
            ast::Expr::ListComp(comp) => (&comp.generators, Some(&*comp.elt), &*comp.elt),
            ast::Expr::SetComp(comp) => (&comp.generators, Some(&*comp.elt), &*comp.elt),
            ast::Expr::DictComp(comp) => (&comp.generators, comp.key.as_deref(), &*comp.value),
            _ => return Err(unknown(expr, "a generator expression")),
        };
        let Some(key) = key.filter(|_| self.class.is_none()) else {
            return Err(unknown(expr, "such a comprehension"));
        };
        let before = self.names.clone();
        let mut made = Made::default();
        let result = self.rounds(clauses, (key, value), &mut made);
        // Its variables are its own, and nothing else was bound.
        self.names = before;
        result?;
        let elements = made.elements;
        let keys = || elements.iter().map(|(key, _)| *key).collect();
        Ok(match expr {
            ast::Expr::ListComp(_) => {
                let v = keys();
                self.loader.heap.push(Object::List { v })
            }
            ast::Expr::SetComp(_) => {
                let v = keys();
                self.loader.heap.push(Object::Set { v })
            }
            _ => self.loader.heap.push(Object::Dict { v: elements }),
        })
    }

    fn rounds(
        &mut self,
        clauses: &[ast::Comprehension],
        (key, value): (&ast::Expr, &ast::Expr),
        made: &mut Made,
    ) -> Result<(), Unknown> {
        let Some((clause, rest)) = clauses.split_first() else {
            let first = self.expr(key)?;
            // The same expression for lists and sets, which is evaluated once.
            let second = if key.range() == value.range() {
                first
            } else {
                self.expr(value)?
            };
            made.elements.push((first, second));
            return Ok(());
        };
        if clause.is_async {
            return Err(unknown(&clause.target, "async code"));
        }
        let over = self.expr(&clause.iter)?;
        let items = self
            .loader
            .heap
            .elements(over)
            .ok_or_else(|| unknown(&clause.iter, "a loop over this"))?;
        'next: for item in items {
            made.rounds += 1;
            if made.rounds > ROUNDS_MAX {
                return Err(unknown(&clause.iter, "such a long loop"));
            }
            self.assign(&clause.target, item)?;
            for condition in &clause.ifs {
                let holds = self.expr(condition)?;
                if !self
                    .loader
                    .heap
                    .truth(holds)
                    .ok_or_else(|| unknown(condition, "such a condition"))?
                {
                    continue 'next;
                }
            }
            self.rounds(rest, (key, value), made)?;
        }
        Ok(())
    }
}
