//! `[...]`

use super::escape::{class_escape, shown};
use super::source::{Source, Token};
use crate::ast::{ClassItem, Node};
use crate::error::CompileError;

/// The member that a token begins.
fn item(source: &mut Source, token: Token) -> Result<ClassItem, CompileError> {
    match token {
        Token::Escape(c) => class_escape(source, c),
        Token::Char(c) => Ok(ClassItem::Range(u32::from(c), u32::from(c))),
    }
}

/// The single character of a member.
fn single(item: ClassItem) -> Option<u32> {
    match item {
        ClassItem::Range(low, high) if low == high => Some(low),
        _ => None,
    }
}

/// Reads a class behind its `[`. Doubled `--`, `&&`, `||`, `~~` and a nested `[` are plain members; Python
/// warns of them.
pub(super) fn class(source: &mut Source) -> Result<Node, CompileError> {
    let here = source.tell() - 1;
    let negated = source.take('^')?;
    let mut items = Vec::new();
    loop {
        let Some(this) = source.get()? else {
            return Err(unterminated(source, here));
        };
        if this == Token::Char(']') && !items.is_empty() {
            break;
        }
        let first = item(source, this)?;
        if !source.take('-')? {
            items.push(first);
            continue;
        }
        let Some(that) = source.get()? else {
            return Err(unterminated(source, here));
        };
        if that == Token::Char(']') {
            items.push(first);
            items.push(ClassItem::Range(u32::from('-'), u32::from('-')));
            break;
        }
        let last = item(source, that)?;
        match (single(first), single(last)) {
            (Some(low), Some(high)) if low <= high => items.push(ClassItem::Range(low, high)),
            _ => {
                let message = format!("bad character range {}-{}", shown(this), shown(that));
                return Err(source.error(message, this.len() + 1 + that.len()));
            }
        }
    }
    match (negated, items.as_slice()) {
        (false, &[ClassItem::Range(low, high)]) if low == high => Ok(Node::Literal(low)),
        _ => Ok(Node::Class { negated, items }),
    }
}

fn unterminated(source: &Source, here: usize) -> CompileError {
    source.error("unterminated character set", source.tell() - here)
}
