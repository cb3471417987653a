//! Generator expressions that nobody but a built-in sees, and whose laziness cannot be told: `any(… for …)`.

use ruff_python_ast as ast;
use ruff_text_size::TextRange;

use crate::ir::ComprehensionKind;

/// How a call over a generator expression is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inline {
    /// The call is the comprehension.
    Whole(ComprehensionKind, &'static str),
    /// The built-in is given what the comprehension makes.
    Argument(ComprehensionKind, &'static str),
    /// `'…'.join(list)`
    Join,
}

impl Inline {
    /// The built-in that the callee has to be.
    pub(super) fn callee(self) -> Option<&'static str> {
        match self {
            Self::Whole(_, name) | Self::Argument(_, name) => Some(name),
            Self::Join => None,
        }
    }
}

/// Whether a call has one generator expression as its only argument and a callee that may allow to evaluate it at
/// once.
pub(super) fn inline_candidate(call: &ast::ExprCall) -> Option<(TextRange, Inline)> {
    let ([ast::Expr::Generator(generator)], []) = (&*call.arguments.args, &*call.arguments.keywords) else {
        return None;
    };
    if generator.generators.iter().any(|clause| clause.is_async) {
        return None;
    }
    let inline = match &*call.func {
        ast::Expr::Name(name) => by_name(&name.id, &generator.elt)?,
        ast::Expr::Attribute(attribute)
            if &*attribute.attr == "join" && attribute.value.is_string_literal_expr() =>
        {
            Inline::Join
        }
        _ => return None,
    };
    Some((generator.range, inline))
}

fn by_name(name: &str, element: &ast::Expr) -> Option<Inline> {
    Some(match name {
        "any" => Inline::Whole(ComprehensionKind::Any, "any"),
        "all" => Inline::Whole(ComprehensionKind::All, "all"),
        "tuple" => Inline::Whole(ComprehensionKind::Tuple, "tuple"),
        "list" => Inline::Whole(ComprehensionKind::List, "list"),
        "set" => Inline::Whole(ComprehensionKind::Set, "set"),
        "frozenset" => Inline::Argument(ComprehensionKind::Set, "frozenset"),
        "sorted" => Inline::Argument(ComprehensionKind::List, "sorted"),
        // Adding or comparing could raise before a later element is made, but not with these.
        "sum" if element.is_number_literal_expr() => Inline::Argument(ComprehensionKind::List, "sum"),
        _ => return None,
    })
}
