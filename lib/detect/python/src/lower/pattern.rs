//! Patterns of `match`.

use ruff_python_ast as ast;

use super::unit::Unit;
use crate::ir::{Expr, Pattern};

impl Unit<'_, '_> {
    /// One pattern.
    pub(super) fn pattern(&mut self, pattern: &ast::Pattern) -> Pattern {
        match pattern {
            ast::Pattern::MatchValue(inner) => Pattern::Value(self.expr(&inner.value)),
            ast::Pattern::MatchSingleton(inner) => Pattern::Singleton(match inner.value {
                ast::Singleton::None => self.shared.pool.none(),
                ast::Singleton::True => self.shared.pool.bool(true),
                ast::Singleton::False => self.shared.pool.bool(false),
            }),
            ast::Pattern::MatchSequence(inner) => self.sequence(&inner.patterns),
            ast::Pattern::MatchMapping(inner) => {
                let pairs = inner.keys.iter().zip(&inner.patterns);
                let pairs = pairs
                    .map(|(key, pattern)| (self.expr(key), self.pattern(pattern)))
                    .collect();
                let rest = inner.rest.as_ref().map(|name| self.store(inner, name));
                Pattern::Mapping(pairs, rest)
            }
            ast::Pattern::MatchClass(inner) => {
                let class = self.expr(&inner.cls);
                let positional = inner
                    .arguments
                    .patterns
                    .iter()
                    .map(|pattern| self.pattern(pattern))
                    .collect();
                let named = inner.arguments.keywords.iter();
                let named = named
                    .map(|keyword| (keyword.attr.as_str().into(), self.pattern(&keyword.pattern)))
                    .collect();
                Pattern::Class(class, positional, named)
            }
            ast::Pattern::MatchAs(inner) => {
                let within = inner
                    .pattern
                    .as_deref()
                    .map(|pattern| Box::new(self.pattern(pattern)));
                let name = inner.name.as_ref().map(|name| self.store(inner, name));
                Pattern::As(within, name)
            }
            ast::Pattern::MatchOr(inner) => Pattern::Or(
                inner
                    .patterns
                    .iter()
                    .map(|pattern| self.pattern(pattern))
                    .collect(),
            ),
            ast::Pattern::MatchStar(inner) => {
                // Only within a sequence, which looks for it; a tree from broken source.
                Pattern::Value(Expr::Fallback(self.point(
                    inner,
                    "a star outside of a sequence",
                    "",
                )))
            }
        }
    }

    fn sequence(&mut self, patterns: &[ast::Pattern]) -> Pattern {
        let mut star = None;
        let mut plain = Vec::with_capacity(patterns.len());
        for (at, pattern) in patterns.iter().enumerate() {
            match pattern {
                ast::Pattern::MatchStar(inner) if star.is_none() => {
                    star = Some((at, inner.name.as_ref().map(|name| self.store(inner, name))));
                }
                _ => plain.push(self.pattern(pattern)),
            }
        }
        Pattern::Sequence(plain.into(), star)
    }
}
