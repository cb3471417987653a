//! Whether a text may be parsed at all: syntax trees are walked and dropped recursively, so their depth is bounded
//! before one is made. The estimate is from the characters alone and errs towards deep.

/// Longer files are not rules.
const BYTES_MAX: usize = 1 << 20;

/// Estimated nesting of one expression. Rules people write stay below 100.
const DEPTH_MAX: usize = 500;

/// Nested blocks; CPython's own limit of indentation.
const BLOCKS_MAX: usize = 100;

/// Words that nest what follows them.
const NESTING: [&str; 8] = ["not", "lambda", "if", "else", "await", "for", "in", "is"];

/// Why a text is not parsed.
pub(crate) fn refusal(text: &str) -> Option<String> {
    if text.len() > BYTES_MAX {
        return Some(format!(
            "the file has {} bytes, more than {BYTES_MAX}",
            text.len()
        ));
    }
    let mut brackets = Brackets::default();
    let mut strings = Strings::default();
    let mut indents: Vec<usize> = vec![0];
    for (number, line) in text.lines().enumerate() {
        if brackets.open.is_empty() && strings.open.is_none() {
            let indent = line.len() - line.trim_start().len();
            indents.retain(|known| *known < indent);
            indents.push(indent);
            if indents.len() > BLOCKS_MAX {
                return Some(format!(
                    "line {}: more than {BLOCKS_MAX} nested blocks",
                    number + 1
                ));
            }
        }
        if brackets.line(&strings.code_of(line)) > DEPTH_MAX {
            return Some(format!("line {}: an expression is nested too deeply", number + 1));
        }
    }
    None
}

/// Where texts begin and end. Their brackets are none, but those within the braces of f-strings are.
#[derive(Default)]
struct Strings {
    /// The quotes that end the text that is open, and whether it is an f-string.
    open: Option<(&'static str, bool)>,
    /// Braces open in an f-string.
    braces: usize,
}

impl Strings {
    /// A line without comment and without what is in plain texts.
    fn code_of(&mut self, line: &str) -> String {
        let mut code = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(letter) = rest.chars().next() {
            let mut taken = letter.len_utf8();
            if let Some((end, is_f)) = self.open {
                if rest.starts_with(end) {
                    self.open = None;
                    taken = end.len();
                } else if letter == '\\' {
                    // What it escapes does not end the text; at the end of a line, the text goes on.
                    taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                } else if is_f && self.braces == 0 && (rest.starts_with("{{") || rest.starts_with("}}")) {
                    taken = 2;
                } else if is_f {
                    self.within_f(letter, &mut code);
                }
            } else if letter == '#' {
                break;
            } else if let Some(quotes) = ["\"\"\"", "'''", "\"", "'"]
                .into_iter()
                .find(|one| rest.starts_with(one))
            {
                let is_f = is_f_prefix(&code);
                self.open = Some((quotes, is_f));
                self.braces = 0;
                taken = quotes.len();
            } else {
                code.push(letter);
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        // A text in single quotes ends with its line, unless the end is escaped.
        if self.open.is_some_and(|(quotes, _)| quotes.len() == 1) && !line.ends_with('\\') {
            self.open = None;
        }
        code
    }
}

impl Strings {
    /// Of an f-string, what is in braces is code.
    fn within_f(&mut self, letter: char, code: &mut String) {
        match letter {
            '{' => self.braces += 1,
            '}' => self.braces = self.braces.saturating_sub(1),
            _ if self.braces == 0 => return,
            _ => {}
        }
        code.push(letter);
    }
}

/// Whether quotes after this code begin an f-string or t-string.
fn is_f_prefix(code: &str) -> bool {
    let prefix = code.chars().rev().take_while(char::is_ascii_alphabetic).take(2);
    prefix
        .into_iter()
        .any(|letter| matches!(letter, 'f' | 'F' | 't' | 'T'))
}

/// Operators seen since the last comma, for every open bracket.
#[derive(Default)]
struct Brackets {
    open: Vec<usize>,
    here: usize,
    continued: bool,
}

impl Brackets {
    /// Reads a line; answers the greatest depth in it.
    fn line(&mut self, line: &str) -> usize {
        if self.open.is_empty() && !self.continued {
            self.here = 0;
        }
        self.continued = line.ends_with('\\');
        let mut deepest = 0;
        for word in line.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
            let name = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
            if NESTING.contains(&name) {
                self.here += 1;
            } else if matches!(name, "and" | "or") {
                self.here = 0;
            }
            match word.chars().last() {
                Some('(' | '[' | '{') => {
                    self.open.push(self.here);
                    self.here = 0;
                }
                // The bracket itself becomes an operand: calls and subscripts nest to the left.
                Some(')' | ']' | '}') => self.here = self.open.pop().unwrap_or_default() + 1,
                Some(',' | ';') => self.here = 0,
                Some('+' | '-' | '*' | '/' | '%' | '@' | '&' | '|' | '^' | '~' | '.' | ':') => self.here += 1,
                _ => {}
            }
            deepest = deepest.max(self.here + self.open.len());
        }
        deepest + self.open.iter().sum::<usize>().min(DEPTH_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_texts_are_refused_and_long_flat_ones_are_not() {
        let deep = [
            "(".repeat(600),
            format!("x = {}a", "not ".repeat(600)),
            format!("x = a{}", "+a".repeat(600)),
            format!("x = a{}", ".b".repeat(600)),
            format!("x = a{}", "()".repeat(600)),
            format!("x = {}0", "lambda: ".repeat(600)),
            format!("x = {}0", "a if b else ".repeat(600)),
            (0..150).map(|n| format!("{}if x:\n", " ".repeat(n))).collect(),
            format!("x = f'{{a{}}}'", "+a".repeat(600)),
            "x".repeat(BYTES_MAX + 1),
        ];
        for text in deep {
            assert!(refusal(&text).is_some(), "{}", &text[..40]);
        }
        let flat = [
            format!("x = [{}]", "'a.b-c', ".repeat(5000)),
            format!("x = {{{}}}", "'a': ('b', 1),\n".repeat(5000)),
            format!("x = {}True", "a == 'b' or ".repeat(5000)),
            "def f(record):\n    return record['a'].get('b')\n".repeat(5000),
            "x = re.match(r'\\((\\[', y)  # :(\n".repeat(5000),
            "x = '''\n(\n['''\n".repeat(5000),
            "x = f'{{ ( {a} [' f\"({b['c']}\"\n".repeat(5000),
            "x = 'a' \"(\" 'b\\'('\n".repeat(5000),
        ];
        for text in flat {
            assert_eq!(refusal(&text), None, "{}", &text[..40]);
        }
    }
}
