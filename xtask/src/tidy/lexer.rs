//! Just enough of Rust's lexical structure to tell code from comments and text.

/// One token that the checks look at. Numbers, characters and lifetimes are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    /// What is between the quotes of a string, escapes as written.
    Text(&'a str),
    Sign(char),
}

/// Tokens of `source`, each with its line from 1.
pub(super) fn tokens(source: &str) -> Vec<(Token<'_>, usize)> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.peek() {
        let line = lexer.line;
        if let Some(token) = lexer.token(first) {
            tokens.push((token, line));
        }
    }
    tokens
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves on by `bytes`, counting lines, and returns what was passed.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let passed = &self.rest()[..bytes];
        self.line += passed.matches('\n').count();
        self.at += bytes;
        passed
    }

    fn token(&mut self, first: char) -> Option<Token<'a>> {
        let rest = self.rest();
        if rest.starts_with("//") {
            self.pass(rest.find('\n').unwrap_or(rest.len()));
            return None;
        }
        if rest.starts_with("/*") {
            let length = block_comment(rest);
            self.pass(length);
            return None;
        }
        if let Some((open, close)) = raw_string(rest) {
            self.pass(open);
            let rest = self.rest();
            let end = rest.find(&close).unwrap_or(rest.len());
            let text = self.pass(end);
            self.pass(close.len().min(self.rest().len()));
            return Some(Token::Text(text));
        }
        match first {
            '"' => {
                self.pass(1);
                Some(Token::Text(self.quoted()))
            }
            'b' | 'c' if rest[1..].starts_with('"') => {
                self.pass(2);
                Some(Token::Text(self.quoted()))
            }
            '\'' => {
                let length = character(rest);
                self.pass(length);
                None
            }
            c if is_word(c) => {
                let word = self.pass(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
                (!c.is_ascii_digit()).then_some(Token::Word(word))
            }
            c => {
                self.pass(c.len_utf8());
                (!c.is_whitespace()).then_some(Token::Sign(c))
            }
        }
    }

    /// The inside of a string whose opening quote was passed; passes the closing one.
    fn quoted(&mut self) -> &'a str {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let text = self.pass(end.unwrap_or(rest.len()));
        self.pass(usize::from(end.is_some()));
        text
    }
}

/// Length of the block comment that `rest` begins with; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Length of the opening of a raw string and its closing, if `rest` begins with one.
fn raw_string(rest: &str) -> Option<(usize, String)> {
    let after_prefix = ["br", "cr", "r"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = after_prefix.len() - after_prefix.trim_start_matches('#').len();
    after_prefix[hashes..].starts_with('"').then(|| {
        let open = rest.len() - after_prefix.len() + hashes + 1;
        (open, format!("\"{}", "#".repeat(hashes)))
    })
}

/// Length of the character literal or lifetime that `rest` begins with.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let after = escaped + c.len_utf8();
            rest[after..].find('\'').map_or(rest.len(), |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        let word = |(token, _)| match token {
            Token::Word(word) => Some(word),
            _ => None,
        };
        tokens(source).into_iter().filter_map(word).collect()
    }

    fn texts(source: &str) -> Vec<&str> {
        let text = |(token, _)| match token {
            Token::Text(text) => Some(text),
            _ => None,
        };
        tokens(source).into_iter().filter_map(text).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(
            words("a // b\n/* c /* d */ e */ f \"g\" r#\"h\" i\"# j"),
            ["a", "f", "j"]
        );
        assert_eq!(
            texts("\"a\\\"b\" r#\"c\"d\"# b\"e\" r\"\\\""),
            ["a\\\"b", "c\"d", "e", "\\"]
        );
    }

    #[test]
    fn quotes_of_characters_and_lifetimes_open_no_string() {
        assert_eq!(
            words("x('\"', '\\'', '\\u{1F600}', b'\"') fn f<'a>(y: &'a str)"),
            ["x", "b", "fn", "f", "a", "y", "a", "str"]
        );
    }

    #[test]
    fn lines_count_through_strings_and_comments() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\"\n/*\n*/d")
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn broken_source_ends() {
        for source in ["\"", "r#\"", "/*", "'", "'\\", "b\"x\\"] {
            tokens(source);
        }
    }
}
