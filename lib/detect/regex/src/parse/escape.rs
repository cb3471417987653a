//! What follows a backslash.

use super::source::{Source, Token};
use super::{Parser, Stop};
use crate::ast::{Category, ClassItem, Node, Place};
use crate::error::{CompileError, untranslatable};

/// The largest number that an octal escape may have.
const OCTAL_MAX: u32 = 0o377;

fn is_octal(c: char) -> bool {
    ('0'..='7').contains(&c)
}

/// `\n` and its like; `\b` is the backspace, which only a class and a template know.
pub(crate) fn control(c: char) -> Option<u32> {
    Some(match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '\\' => 92,
        _ => return None,
    })
}

fn category(c: char) -> Option<ClassItem> {
    let category = match c.to_ascii_lowercase() {
        'd' => Category::Digit,
        's' => Category::Space,
        'w' => Category::Word,
        _ => return None,
    };
    Some(ClassItem::Category {
        category,
        negated: c.is_ascii_uppercase(),
    })
}

/// `\xhh`, `\uhhhh`, `\Uhhhhhhhh` and `\N{...}`. None when `c` begins none of them.
fn coded(source: &mut Source, c: char) -> Result<Option<u32>, CompileError> {
    let digits = match c {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'N' => {
            if !source.take('{')? {
                return Err(source.error("missing {", 0));
            }
            source.take_until('}', "character name")?;
            return Err(untranslatable("a character is named by \\N{...}"));
        }
        _ => return Ok(None),
    };
    let mut escape = format!("\\{c}");
    source.take_while(digits, |c| c.is_ascii_hexdigit(), &mut escape)?;
    if escape.len() != digits + 2 {
        return Err(source.error(format!("incomplete escape {escape}"), escape.len()));
    }
    match u32::from_str_radix(&escape[2..], 16) {
        Ok(code) if code <= 0x10_ffff => Ok(Some(code)),
        _ => Err(source.error(format!("bad escape {escape}"), escape.len())),
    }
}

fn octal(source: &Source, escape: &str) -> Result<u32, CompileError> {
    match u32::from_str_radix(&escape[1..], 8) {
        Ok(code) if code <= OCTAL_MAX => Ok(code),
        _ => {
            let message = format!("octal escape value {escape} outside of range 0-0o377");
            Err(source.error(message, escape.len()))
        }
    }
}

/// An escape that stands for its own character. A letter and a digit never do.
fn itself(source: &Source, c: char) -> Result<u32, CompileError> {
    if c.is_ascii_alphanumeric() {
        return Err(source.error(format!("bad escape \\{c}"), 2));
    }
    Ok(u32::from(c))
}

/// An escape within `[...]`.
pub(super) fn class_escape(source: &mut Source, c: char) -> Result<ClassItem, CompileError> {
    if let Some(code) = control(c) {
        return Ok(ClassItem::Range(code, code));
    }
    if let Some(item) = category(c) {
        return Ok(item);
    }
    let code = match coded(source, c)? {
        Some(code) => code,
        None if is_octal(c) => {
            let mut escape = format!("\\{c}");
            source.take_while(2, is_octal, &mut escape)?;
            octal(source, &escape)?
        }
        None => itself(source, c)?,
    };
    Ok(ClassItem::Range(code, code))
}

impl Parser {
    /// An escape outside of a class.
    pub(super) fn escape(&mut self, c: char) -> Result<Node, Stop> {
        let place = match c {
            'A' => Some(Place::Start),
            'Z' => Some(Place::End),
            'b' => Some(Place::Boundary),
            'B' => Some(Place::NonBoundary),
            _ => None,
        };
        if let Some(place) = place {
            return Ok(Node::Place(place));
        }
        if let Some(item) = category(c) {
            return Ok(Node::Class {
                negated: false,
                items: vec![item],
            });
        }
        if let Some(code) = control(c) {
            return Ok(Node::Literal(code));
        }
        if let Some(code) = coded(&mut self.source, c)? {
            return Ok(Node::Literal(code));
        }
        let mut escape = format!("\\{c}");
        if c == '0' {
            self.source.take_while(2, is_octal, &mut escape)?;
            return Ok(Node::Literal(octal(&self.source, &escape)?));
        }
        if c.is_ascii_digit() {
            return self.number(escape);
        }
        Ok(Node::Literal(itself(&self.source, c)?))
    }

    /// `\1`: a group, or three octal digits.
    fn number(&mut self, mut escape: String) -> Result<Node, Stop> {
        self.source.take_while(1, |c| c.is_ascii_digit(), &mut escape)?;
        if escape.len() == 3
            && escape[1..].chars().all(is_octal)
            && let Some(c) = self.source.peek_char()
            && is_octal(c)
        {
            self.source.take_while(1, is_octal, &mut escape)?;
            return Ok(Node::Literal(octal(&self.source, &escape)?));
        }
        let group = escape[1..].parse::<u32>().unwrap_or(u32::MAX);
        if (group as usize) < self.group_widths.len() {
            if !self.is_closed(group) {
                return Err(self
                    .source
                    .error("cannot refer to an open group", escape.len())
                    .into());
            }
            self.check_lookbehind(group)?;
            return Ok(Node::Backref(group));
        }
        Err(self
            .source
            .error(format!("invalid group reference {group}"), escape.len() - 1)
            .into())
    }
}

/// What a template makes of `\0` and of three octal digits.
pub(crate) fn template_number(
    source: &mut Source,
    first: char,
) -> Result<(String, Option<u32>), CompileError> {
    let mut escape = format!("\\{first}");
    if first == '0' {
        source.take_while(2, is_octal, &mut escape)?;
        let code = u32::from_str_radix(&escape[1..], 8).unwrap_or(0) & 0xff;
        return Ok((escape, Some(code)));
    }
    source.take_while(1, |c| c.is_ascii_digit(), &mut escape)?;
    if escape.len() == 3 && escape[1..].chars().all(is_octal) && source.peek_char().is_some_and(is_octal) {
        source.take_while(1, is_octal, &mut escape)?;
        let code = octal(source, &escape)?;
        return Ok((escape, Some(code)));
    }
    Ok((escape, None))
}

/// The text that stands for a token in a message.
pub(super) fn shown(token: Token) -> String {
    token.text()
}
