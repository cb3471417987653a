//! What a template names and nobody has. It would show when the first alert is rendered, maybe at night.

use std::collections::BTreeSet;

use minijinja::{Environment, ErrorKind, Template, Value};

use super::inputs::NAMES;

/// The first name that is not there, as its place in the source in bytes and what is wrong.
pub(super) fn unknown(environment: &Environment<'_>, template: &Template<'_, '_>) -> Option<(usize, String)> {
    let source = template.source();
    let tags = tags(source);
    let mut found = BTreeSet::new();
    let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    for name in template.undeclared_variables(false) {
        if NAMES.contains(&name.as_str()) || globals.contains(&name.as_str()) {
            continue;
        }
        if let Some(word) = tags.iter().find(|word| word.text == name && word.before != '.') {
            let message = format!("there is no `{name}`, there are {}", NAMES.join(", "));
            found.insert((word.at, message));
        }
    }
    let mut state = template.new_state();
    for word in tags.iter().filter(|word| word.before == '|') {
        // without arguments most filters fail, too, but in other ways
        let answer = state.apply_filter(word.text, &[Value::UNDEFINED]);
        if answer.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            found.insert((word.at, format!("there is no filter `{}`", word.text)));
        }
    }
    found.into_iter().next()
}

/// A name within a tag.
struct Word<'a> {
    /// Where it begins.
    at: usize,
    text: &'a str,
    /// What stands before it, blanks apart.
    before: char,
}

/// The names within tags, texts apart. Comments and `raw` have no tags.
fn tags(source: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(begin) = source[at..].find('{').map(|begin| at + begin) {
        at = begin + 1;
        let close = match source.as_bytes().get(at) {
            Some(b'#') => {
                at = source[at..].find("#}").map_or(source.len(), |end| at + end + 2);
                continue;
            }
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => continue,
        };
        let from = words.len();
        at = inside(source, at + 1, close, &mut words);
        if words.get(from).is_some_and(|word| word.text == "raw") {
            at = source[at..].find("endraw").map_or(source.len(), |end| at + end);
        }
    }
    words
}

/// Reads one tag up to its end, and says where that is.
fn inside<'a>(source: &'a str, mut at: usize, close: &str, words: &mut Vec<Word<'a>>) -> usize {
    let mut before = ' ';
    while let Some(c) = source[at..].chars().next() {
        if source[at..].starts_with(close) {
            return at + close.len();
        }
        let rest = &source[at..];
        if c == '"' || c == '\'' {
            at += text_len(rest, c);
            before = c;
        } else if c.is_alphanumeric() || c == '_' {
            let len = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            words.push(Word {
                at,
                text: &rest[..len],
                before,
            });
            at += len;
            before = 'a';
        } else {
            if !c.is_whitespace() {
                before = c;
            }
            at += c.len_utf8();
        }
    }
    at
}

/// Bytes of a text that begins with this quote, quotes included.
fn text_len(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return index + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    rest.len()
}
