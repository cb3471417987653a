//! `fnmatch.fnmatchcase` of Python: `*`, `?`, `[seq]` and `[!seq]` over the whole text, line feeds included.

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
enum Token {
    /// This character.
    One(char),
    /// Any one character.
    Any,
    /// Any number of characters.
    Many,
    /// One character of these ranges, or none of them when negated.
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let mut tokens = Vec::with_capacity(chars.len());
        let mut at = 0;
        while let Some(&character) = chars.get(at) {
            at += 1;
            tokens.push(match character {
                '*' if matches!(tokens.last(), Some(Token::Many)) => continue,
                '*' => Token::Many,
                '?' => Token::Any,
                '[' => match set_end(&chars, at) {
                    Some(end) => {
                        let inside = &chars[at..end];
                        at = end + 1;
                        set(inside)
                    }
                    None => Token::One('['),
                },
                other => Token::One(other),
            });
        }
        Self { tokens }
    }

    /// Whether the whole of `text` matches. Time is at most the product of both lengths.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut token = 0;
        // Where to go on when what follows the latest star does not fit: one character further into the text.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut next = rest.clone();
            match (self.tokens.get(token), next.next()) {
                (Some(Token::Many), _) => {
                    token += 1;
                    retry = Some((token, rest.clone()));
                    continue;
                }
                (Some(wanted), Some(character)) if wanted.is(character) => {
                    token += 1;
                    rest = next;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after_star, from)) = &mut retry else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            token = *after_star;
            rest = from.clone();
        }
    }
}

impl Token {
    fn is(&self, character: char) -> bool {
        match self {
            Self::One(wanted) => *wanted == character,
            Self::Any => true,
            Self::Many => false,
            Self::Set { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&character))
                    != *negated
            }
        }
    }
}

/// Where the set that begins at `at` is closed; a bracket that comes first belongs to the set.
fn set_end(chars: &[char], at: usize) -> Option<usize> {
    let mut end = at;
    end += usize::from(chars.get(end) == Some(&'!'));
    end += usize::from(chars.get(end) == Some(&']'));
    (end..chars.len()).find(|end| chars[*end] == ']')
}

fn set(inside: &[char]) -> Token {
    let (negated, mut rest) = match inside {
        ['!', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [first, '-', last, after @ ..] => {
                ranges.push((*first, *last));
                after
            }
            [one, after @ ..] => {
                ranges.push((*one, *one));
                after
            }
            [] => return Token::Set { negated, ranges },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        let cases = [
            ("foo*", "foobar", true),
            ("foo*", "xfoo", false),
            ("*", "", true),
            ("", "", true),
            ("?", "é", true),
            ("a?c", "a\nc", true),
            ("[a-c][!2]", "b1", true),
            ("[a-c][!2]", "b2", false),
            ("[]x]", "]", true),
            ("[!]x]", "]", false),
            ("[abc", "[abc", true),
            ("1.*.*", "1.2.3", true),
            ("*a*b", "xaybzab", true),
            ("*a*b", "xaybza", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }
}
