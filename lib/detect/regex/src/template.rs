//! Replacement templates of `sub` and `expand`, and `escape`.

use crate::error::{CompileError, Invalid, Raised, TemplateError};
use crate::parse::{Source, Token, check_name, control, group_number, repr, template_number};
use crate::pattern::{Captures, Pattern};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl From<CompileError> for TemplateError {
    fn from(error: CompileError) -> TemplateError {
        match error {
            CompileError::Invalid(invalid) => TemplateError::Invalid(invalid),
            CompileError::Untranslatable { reason } => TemplateError::Untranslatable { reason },
        }
    }
}

struct Builder<'p> {
    pattern: &'p Pattern,
    source: Source,
    parts: Vec<Part>,
    text: String,
}

impl Template {
    /// Parses a template for this pattern. Python raises these errors from `sub` even when nothing matches.
    pub fn new(pattern: &Pattern, template: &str) -> Result<Template, TemplateError> {
        if !template.contains('\\') {
            return Ok(Template {
                parts: vec![Part::Text(template.to_owned())],
            });
        }
        let source = Source::new(template)?;
        let mut builder = Builder {
            pattern,
            source,
            parts: Vec::new(),
            text: String::new(),
        };
        while let Some(token) = builder.source.get()? {
            match token {
                Token::Char(c) => builder.text.push(c),
                Token::Escape(c) => builder.escape(c)?,
            }
        }
        builder.end_text();
        Ok(Template { parts: builder.parts })
    }

    /// Adds the replacement of a match in `text`. A group that took no part adds nothing.
    pub fn expand(&self, text: &str, captures: &Captures, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(part) => out.push_str(part),
                Part::Group(group) => out.push_str(captures.text(text, *group).unwrap_or_default()),
            }
        }
    }
}

impl Builder<'_> {
    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        }
    }

    fn escape(&mut self, c: char) -> Result<(), TemplateError> {
        if c == 'g' {
            return self.named();
        }
        if c.is_ascii_digit() {
            let (escape, code) = template_number(&mut self.source, c)?;
            return match code.and_then(char::from_u32) {
                Some(c) => {
                    self.text.push(c);
                    Ok(())
                }
                None => self.group(escape[1..].parse().unwrap_or(u64::MAX), escape.len() - 1),
            };
        }
        match control(c).and_then(char::from_u32) {
            Some(c) => self.text.push(c),
            None if c.is_ascii_alphabetic() => {
                return Err(self.source.error(format!("bad escape \\{c}"), 2).into());
            }
            None => self.text.extend(['\\', c]),
        }
        Ok(())
    }

    /// A group by number; an error is `back` characters back.
    fn group(&mut self, number: u64, back: usize) -> Result<(), TemplateError> {
        match usize::try_from(number) {
            Ok(group) if group <= self.pattern.groups() => {
                self.end_text();
                self.parts.push(Part::Group(group));
                Ok(())
            }
            _ => Err(self
                .source
                .error(format!("invalid group reference {number}"), back)
                .into()),
        }
    }

    /// `\g<name>`
    fn named(&mut self) -> Result<(), TemplateError> {
        if !self.source.take('<')? {
            return Err(self.source.error("missing <", 0).into());
        }
        let name = self.source.take_until('>', "group name")?;
        let back = name.chars().count() + 1;
        let is_number = name.bytes().all(|b| b.is_ascii_digit());
        if !is_number && check_name(&name)? {
            return match self.pattern.group_index(&name) {
                Some(group) => self.group(group as u64, back),
                None => Err(TemplateError::Invalid(Invalid {
                    raised: Raised::IndexError,
                    message: format!("unknown group name {}", repr(&name)),
                    position: None,
                })),
            };
        }
        match group_number(&name)? {
            Some(number) => self.group(number, back),
            None => {
                let message = format!("bad character in group name {}", repr(&name));
                Err(self.source.error(message, back).into())
            }
        }
    }
}

/// `re.escape` of a text.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
