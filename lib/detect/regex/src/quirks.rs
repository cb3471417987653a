//! Patterns whose groups CPython reports in a way that follows from its implementation only: a group keeps
//! what a failed attempt left in it. They are not translated.

use crate::ast::Greed;
use crate::flags::PyVersion;
use crate::ir::Ir;

/// Where a node stands.
#[derive(Clone, Copy)]
struct Context {
    /// Within a loop of more than one turn.
    looped: bool,
    /// A turn of that loop may leave this node out.
    skippable: bool,
}

/// Why a pattern is not translated.
pub(crate) fn refused(ir: &Ir, version: PyVersion) -> Option<&'static str> {
    let mut open = Vec::new();
    if names_open_group(ir, &mut open) {
        return Some("a conditional stands in the group that it asks about");
    }
    // Python 3.11 mended the groups of failed attempts (CPython issue 35859).
    if version.minor < 11
        && has_stale_groups(
            ir,
            Context {
                looped: false,
                skippable: false,
            },
        )
    {
        return Some(
            "a group in a loop or lookaround may keep the text of a failed attempt (until Python 3.10)",
        );
    }
    None
}

/// `(a(?(1)b|c))*`: the group has a new start and an old end.
fn names_open_group(ir: &Ir, open: &mut Vec<u32>) -> bool {
    match ir {
        Ir::Conditional { group, .. } if open.contains(group) => true,
        Ir::Capture { group, body } => {
            open.push(*group);
            let found = names_open_group(body, open);
            open.pop();
            found
        }
        _ => ir.children().iter().any(|child| names_open_group(child, open)),
    }
}

fn has_capture(ir: &Ir) -> bool {
    ir.any(&|node| matches!(node, Ir::Capture { .. }))
}

fn has_stale_groups(ir: &Ir, at: Context) -> bool {
    let below = |at: Context| ir.children().iter().any(|child| has_stale_groups(child, at));
    let skippable = Context {
        skippable: at.looped,
        ..at
    };
    match ir {
        Ir::Capture { .. } => (at.looped && at.skippable) || below(at),
        Ir::Repeat {
            greed: Greed::Lazy, ..
        }
        | Ir::Look { negated: true, .. } => has_capture(ir),
        Ir::Repeat { max, .. } if max.is_none_or(|max| max > 1) => {
            // A loop in a loop may leave its own body out when it may have no turn.
            let skippable = at.looped && (at.skippable || matches!(ir, Ir::Repeat { min: 0, .. }));
            below(Context {
                looped: true,
                skippable,
            })
        }
        Ir::Repeat { .. } | Ir::Alternate(_) | Ir::Conditional { .. } | Ir::Look { .. } => below(skippable),
        _ => below(at),
    }
}
