//! `(...)`

use super::source::{Token, repr};
use super::{Parser, Stop};
use crate::ast::Node;
use crate::error::{CompileError, untranslatable};
use crate::flags::Flags;
use crate::limits::GROUPS_MAX;

/// The largest group number that Python accepts, exclusive.
const GROUP_NUMBER_MAX: u64 = 1 << 30;

/// What `(?letters` turned out to be.
enum Letters {
    Global(Flags),
    Scoped { add: Flags, del: Flags },
}

/// Whether a group may have this name. Names beyond ASCII need the tables of the Python version.
pub(crate) fn check_name(name: &str) -> Result<bool, CompileError> {
    if !name.is_ascii() {
        return Err(untranslatable("a group name is not ASCII"));
    }
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    Ok(first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// A group by number in `(?(1)...)` or `\g<1>`. Until 3.11 Python read it with `int()`, which takes spaces,
/// signs and underscores.
pub(crate) fn group_number(text: &str) -> Result<Option<u64>, CompileError> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Some(text.parse().unwrap_or(u64::MAX)));
    }
    let odd =
        |c: char| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '+' | '-' | '_' | '\x1c'..='\x1f');
    if text.chars().all(|c| odd(c) || !c.is_ascii()) {
        return Err(untranslatable("a group number is spelt in an unusual way"));
    }
    Ok(None)
}

impl Parser {
    /// Reads a group behind its `(`. None for what leaves no node: comments and global flags.
    pub(super) fn group(&mut self, verbose: &mut bool, at_start: bool) -> Result<Option<Node>, Stop> {
        let start = self.source.tell() - 1;
        if !self.source.take('?')? {
            return self.capture(None, *verbose, start).map(Some);
        }
        let Some(token) = self.source.get()? else {
            return Err(self.source.error("unexpected end of pattern", 0).into());
        };
        let Token::Char(char) = token else {
            return Err(self.unknown("?", token));
        };
        match char {
            'P' => self.python_extension(*verbose, start).map(Some),
            ':' => self.scoped(Flags::NONE, Flags::NONE, *verbose, start).map(Some),
            '#' => self.comment(start).map(|()| None),
            '=' | '!' | '<' => self.look(char, *verbose, start).map(Some),
            '(' => self.conditional(*verbose, start).map(Some),
            '>' if self.version.minor >= 11 => {
                let body = self.alternation(*verbose)?;
                self.close(start)?;
                Ok(Some(Node::Atomic(Box::new(body))))
            }
            _ if char == '-' || Flags::of_letter(char, self.version).is_some() => {
                match self.letters(char)? {
                    Letters::Global(flags) => {
                        self.global(flags, verbose, at_start, start)?;
                        Ok(None)
                    }
                    Letters::Scoped { add, del } => self.scoped(add, del, *verbose, start).map(Some),
                }
            }
            _ => Err(self.unknown("?", token)),
        }
    }

    fn unknown(&self, before: &str, token: Token) -> Stop {
        let message = format!("unknown extension {before}{}", token.text());
        self.source.error(message, token.len() + before.len()).into()
    }

    /// The `)` of a group that began at `start`.
    fn close(&mut self, start: usize) -> Result<(), Stop> {
        if self.source.take(')')? {
            return Ok(());
        }
        let back = self.source.tell() - start;
        Err(self
            .source
            .error("missing ), unterminated subpattern", back)
            .into())
    }

    fn capture(&mut self, name: Option<String>, verbose: bool, start: usize) -> Result<Node, Stop> {
        let index = self.group_widths.len();
        self.group_widths.push(None);
        if index > GROUPS_MAX {
            return Err(untranslatable("more capture groups than the limit").into());
        }
        let index = index as u32;
        if let Some(name) = name {
            if let Some((_, old)) = self.names.iter().find(|(known, _)| *known == name) {
                let message = format!(
                    "redefinition of group name {} as group {index}; was group {old}",
                    repr(&name)
                );
                return Err(self.source.error(message, name.len() + 1).into());
            }
            self.names.push((name, index));
        }
        let body = self.alternation(verbose)?;
        self.close(start)?;
        if let Some(width) = self
            .group_widths
            .get(index as usize)
            .map(|_| body.width(&self.group_widths))
        {
            self.group_widths[index as usize] = Some(width);
        }
        Ok(Node::Group {
            index: Some(index),
            add: Flags::NONE,
            del: Flags::NONE,
            body: Box::new(body),
        })
    }

    fn scoped(&mut self, add: Flags, del: Flags, verbose: bool, start: usize) -> Result<Node, Stop> {
        let verbose = (verbose || add.has(Flags::VERBOSE)) && !del.has(Flags::VERBOSE);
        let body = self.alternation(verbose)?;
        self.close(start)?;
        Ok(Node::Group {
            index: None,
            add,
            del,
            body: Box::new(body),
        })
    }

    /// `(?P<name>...)` and `(?P=name)`.
    fn python_extension(&mut self, verbose: bool, start: usize) -> Result<Node, Stop> {
        if self.source.take('<')? {
            let name = self.source.take_until('>', "group name")?;
            self.require_name(&name)?;
            return self.capture(Some(name), verbose, start);
        }
        if self.source.take('=')? {
            let name = self.source.take_until(')', "group name")?;
            self.require_name(&name)?;
            let group = self.named(&name)?;
            if !self.is_closed(group) {
                return Err(self
                    .source
                    .error("cannot refer to an open group", name.len() + 1)
                    .into());
            }
            self.check_lookbehind(group)?;
            return Ok(Node::Backref(group));
        }
        match self.source.get()? {
            None => Err(self.source.error("unexpected end of pattern", 0).into()),
            Some(token) => Err(self.unknown("?P", token)),
        }
    }

    fn require_name(&self, name: &str) -> Result<(), Stop> {
        if check_name(name)? {
            return Ok(());
        }
        let message = format!("bad character in group name {}", repr(name));
        Err(self.source.error(message, name.chars().count() + 1).into())
    }

    fn named(&self, name: &str) -> Result<u32, Stop> {
        match self.names.iter().find(|(known, _)| known == name) {
            Some((_, group)) => Ok(*group),
            None => Err(self
                .source
                .error(format!("unknown group name {}", repr(name)), name.len() + 1)
                .into()),
        }
    }

    fn comment(&mut self, start: usize) -> Result<(), Stop> {
        loop {
            if self.source.peek().is_none() {
                let back = self.source.tell() - start;
                return Err(self.source.error("missing ), unterminated comment", back).into());
            }
            if self.source.get()? == Some(Token::Char(')')) {
                return Ok(());
            }
        }
    }

    fn look(&mut self, first: char, verbose: bool, start: usize) -> Result<Node, Stop> {
        let ahead = first != '<';
        let mut kind = first;
        if !ahead {
            kind = match self.source.get()? {
                None => return Err(self.source.error("unexpected end of pattern", 0).into()),
                Some(Token::Char(c @ ('=' | '!'))) => c,
                Some(token) => return Err(self.unknown("?<", token)),
            };
        }
        let outermost = !ahead && self.lookbehind_groups.is_none();
        if outermost {
            self.lookbehind_groups = Some(self.group_widths.len());
        }
        let body = self.alternation(verbose)?;
        if outermost {
            self.lookbehind_groups = None;
        }
        self.close(start)?;
        Ok(Node::Look {
            ahead,
            negated: kind == '!',
            body: Box::new(body),
        })
    }

    /// `(?(group)yes|no)`
    fn conditional(&mut self, verbose: bool, start: usize) -> Result<Node, Stop> {
        let name = self.source.take_until(')', "group name")?;
        let back = name.chars().count() + 1;
        let is_number = name.bytes().all(|b| b.is_ascii_digit());
        let group = if !is_number && check_name(&name)? {
            self.named(&name)?
        } else {
            let number = match group_number(&name)? {
                Some(number) => number,
                None => {
                    let message = format!("bad character in group name {}", repr(&name));
                    return Err(self.source.error(message, back).into());
                }
            };
            if number == 0 {
                return Err(self.source.error("bad group number", back).into());
            }
            if number >= GROUP_NUMBER_MAX {
                return Err(self
                    .source
                    .error(format!("invalid group reference {number}"), back)
                    .into());
            }
            let number = number as u32;
            if !self.forward.iter().any(|(known, _)| *known == number) {
                self.forward.push((number, self.source.tell() - back));
            }
            number
        };
        self.check_lookbehind(group)?;
        self.deeper()?;
        let yes = self.sequence(verbose, false)?;
        let mut no = None;
        if self.source.take('|')? {
            no = Some(Box::new(self.sequence(verbose, false)?));
            if self.source.peek_char() == Some('|') {
                return Err(self
                    .source
                    .error("conditional backref with more than two branches", 0)
                    .into());
            }
        }
        self.depth -= 1;
        self.close(start)?;
        Ok(Node::Conditional {
            group,
            yes: Box::new(yes),
            no,
        })
    }

    /// `(?flags)`: for the whole pattern, wherever it stands.
    fn global(&mut self, flags: Flags, verbose: &mut bool, at_start: bool, start: usize) -> Result<(), Stop> {
        self.flags |= flags;
        if self.version.minor >= 11 {
            if !at_start {
                let back = self.source.tell() - start;
                let message = "global flags not at the start of the expression";
                return Err(self.source.error(message, back).into());
            }
            *verbose = self.flags.has(Flags::VERBOSE);
        } else if self.flags.has(Flags::VERBOSE) && !*verbose {
            return Err(Stop::Verbose);
        }
        Ok(())
    }

    fn letters(&mut self, first: char) -> Result<Letters, Stop> {
        let mut add = Flags::NONE;
        let mut char = first;
        if char != '-' {
            char = self.letters_on(first, &mut add)?;
        }
        if char == ')' {
            return Ok(Letters::Global(add));
        }
        let global = Flags::TEMPLATE | Flags::DEBUG;
        if add.has(global) {
            return Err(self
                .source
                .error("bad inline flags: cannot turn on global flag", 1)
                .into());
        }
        let mut del = Flags::NONE;
        if char == '-' {
            self.letters_off(&mut del)?;
        }
        if del.has(global) {
            return Err(self
                .source
                .error("bad inline flags: cannot turn off global flag", 1)
                .into());
        }
        if add.has(del) {
            return Err(self
                .source
                .error("bad inline flags: flag turned on and off", 1)
                .into());
        }
        Ok(Letters::Scoped { add, del })
    }

    /// The letters before `-`, `:` or `)`, and which of these it was.
    fn letters_on(&mut self, first: char, add: &mut Flags) -> Result<char, Stop> {
        let mut char = first;
        while let Some(flag) = Flags::of_letter(char, self.version) {
            if char == 'L' {
                let message = "bad inline flags: cannot use 'L' flag with a str pattern";
                return Err(self.source.error(message, 0).into());
            }
            *add |= flag;
            if flag.has(Flags::ALPHABET) && (*add & Flags::ALPHABET) != flag {
                let message = "bad inline flags: flags 'a', 'u' and 'L' are incompatible";
                return Err(self.source.error(message, 0).into());
            }
            match self.source.get()? {
                Some(Token::Char(c)) if matches!(c, ')' | '-' | ':') => return Ok(c),
                Some(Token::Char(c)) if Flags::of_letter(c, self.version).is_some() => char = c,
                token => return Err(self.bad_letter(token, "missing -, : or )")),
            }
        }
        Ok(char)
    }

    /// The letters between `-` and `:`.
    fn letters_off(&mut self, del: &mut Flags) -> Result<(), Stop> {
        let mut missing = "missing flag";
        loop {
            let token = self.source.get()?;
            let flag = match token {
                Some(Token::Char(':')) if *del != Flags::NONE => return Ok(()),
                Some(Token::Char(c)) => Flags::of_letter(c, self.version),
                _ => None,
            };
            let Some(flag) = flag else {
                return Err(self.bad_letter(token, missing));
            };
            if flag.has(Flags::ALPHABET) {
                let message = "bad inline flags: cannot turn off flags 'a', 'u' and 'L'";
                return Err(self.source.error(message, 0).into());
            }
            *del |= flag;
            missing = "missing :";
        }
    }

    fn bad_letter(&self, token: Option<Token>, missing: &str) -> Stop {
        match token {
            None => self.source.error(missing, 0).into(),
            Some(Token::Char(c)) if c.is_alphabetic() => self.source.error("unknown flag", 1).into(),
            Some(token) => self.source.error(missing, token.len()).into(),
        }
    }
}
