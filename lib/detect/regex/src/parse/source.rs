//! The reader of patterns and templates. Like Python's it always looks one token ahead, and a token is a
//! character or a backslash with a character: the place of an error message depends on both.

use crate::error::{CompileError, invalid};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Char(char),
    /// A backslash and this character.
    Escape(char),
}

impl Token {
    /// Characters of the token.
    pub(crate) fn len(self) -> usize {
        match self {
            Token::Char(_) => 1,
            Token::Escape(_) => 2,
        }
    }

    pub(crate) fn push_to(self, out: &mut String) {
        match self {
            Token::Char(c) => out.push(c),
            Token::Escape(c) => {
                out.push('\\');
                out.push(c);
            }
        }
    }

    pub(crate) fn text(self) -> String {
        let mut text = String::new();
        self.push_to(&mut text);
        text
    }
}

pub(crate) struct Source {
    chars: Vec<char>,
    /// Behind the token ahead.
    index: usize,
    next: Option<Token>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Result<Source, CompileError> {
        let mut source = Source {
            chars: text.chars().collect(),
            index: 0,
            next: None,
        };
        source.advance()?;
        Ok(source)
    }

    fn advance(&mut self) -> Result<(), CompileError> {
        self.next = match self.chars.get(self.index) {
            None => None,
            Some('\\') => match self.chars.get(self.index + 1) {
                Some(&c) => Some(Token::Escape(c)),
                None => {
                    return Err(invalid("bad escape (end of pattern)", self.chars.len() - 1));
                }
            },
            Some(&c) => Some(Token::Char(c)),
        };
        self.index += self.next.map_or(0, Token::len);
        Ok(())
    }

    pub(crate) fn peek(&self) -> Option<Token> {
        self.next
    }

    /// The character ahead, None at the end and before an escape.
    pub(crate) fn peek_char(&self) -> Option<char> {
        match self.next {
            Some(Token::Char(c)) => Some(c),
            _ => None,
        }
    }

    pub(crate) fn get(&mut self) -> Result<Option<Token>, CompileError> {
        let token = self.next;
        self.advance()?;
        Ok(token)
    }

    /// Takes the token ahead when it is this character.
    pub(crate) fn take(&mut self, c: char) -> Result<bool, CompileError> {
        let found = self.peek_char() == Some(c);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes up to `most` characters that pass.
    pub(crate) fn take_while(
        &mut self,
        most: usize,
        pass: impl Fn(char) -> bool,
        out: &mut String,
    ) -> Result<(), CompileError> {
        for _ in 0..most {
            match self.peek_char() {
                Some(c) if pass(c) => out.push(c),
                _ => break,
            }
            self.advance()?;
        }
        Ok(())
    }

    /// The text up to the terminator, which is taken too.
    pub(crate) fn take_until(&mut self, terminator: char, name: &str) -> Result<String, CompileError> {
        let mut text = String::new();
        loop {
            match self.get()? {
                None if text.is_empty() => return Err(self.error(format!("missing {name}"), 0)),
                None => {
                    let message = format!("missing {terminator}, unterminated name");
                    return Err(self.error(message, text.chars().count()));
                }
                Some(Token::Char(c)) if c == terminator => {
                    if text.is_empty() {
                        return Err(self.error(format!("missing {name}"), 1));
                    }
                    return Ok(text);
                }
                Some(token) => token.push_to(&mut text),
            }
        }
    }

    /// Characters before the token ahead.
    pub(crate) fn tell(&self) -> usize {
        self.index - self.next.map_or(0, Token::len)
    }

    pub(crate) fn seek(&mut self, index: usize) -> Result<(), CompileError> {
        self.index = index;
        self.advance()
    }

    /// An error `back` characters before the token ahead.
    pub(crate) fn error(&self, message: impl Into<String>, back: usize) -> CompileError {
        invalid(message, self.tell().saturating_sub(back))
    }
}

/// Python's `repr` of a text.
pub(crate) fn repr(text: &str) -> String {
    let mut out = String::new();
    streamalert_value::write_python_repr(text.chars().map(u32::from), &mut out);
    out
}
