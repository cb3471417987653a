use super::Finding;
use super::lexer::{Token, tokens};

/// Macros that mark work not done or debugging forgotten.
const LEFT_OVER: [&str; 3] = ["dbg", "todo", "unimplemented"];

/// The macros of `tracing` that take a message.
const LOG_MACROS: [&str; 5] = ["debug", "error", "info", "trace", "warn"];

/// Names that begin with a capital wherever they stand. A second capital (`JSON`, `CPython`) is always allowed.
const PROPER_NAMES: [&str; 5] = ["Amazon", "Kinesis", "Python", "Slack", "StreamAlert"];

/// Left-over macros, ignored tests without a reason, and the style of log and error text.
pub(super) fn check(file: &str, source: &str, findings: &mut Vec<Finding>) {
    let tokens = tokens(source);
    for at in 0..tokens.len() {
        let (token, line) = tokens[at];
        let Token::Word(word) = token else { continue };
        let after = |n: usize| tokens.get(at + n).map(|(token, _)| *token);
        let before = |n: usize| at.checked_sub(n).map(|at| tokens[at].0);
        let is_macro = after(1) == Some(Token::Sign('!')) && opens(after(2));
        let is_attribute = before(1) == Some(Token::Sign('[')) && before(2) == Some(Token::Sign('#'));
        if is_macro && LEFT_OVER.contains(&word) {
            findings.push(Finding::error(file, line, format!("{word}! is left over")));
        }
        if is_macro
            && LOG_MACROS.contains(&word)
            && let Some((text, line)) = first_text(&tokens, at + 2)
        {
            check_style(file, line, "log", text, findings);
        }
        if is_attribute
            && word == "error"
            && after(1) == Some(Token::Sign('('))
            && let Some(Token::Text(text)) = after(2)
        {
            check_style(file, tokens[at + 2].1, "error", text, findings);
        }
        if is_attribute && word == "ignore" && after(1) == Some(Token::Sign(']')) {
            let message = "a test is ignored without saying why; write #[ignore = \"reason\"]";
            findings.push(Finding::error(file, line, message));
        }
    }
}

fn opens(token: Option<Token<'_>>) -> bool {
    matches!(token, Some(Token::Sign('(' | '[' | '{')))
}

/// The message of a log macro whose opening bracket is at `open`: the first argument that is plain text.
fn first_text<'a>(tokens: &[(Token<'a>, usize)], open: usize) -> Option<(&'a str, usize)> {
    let mut depth = 0_usize;
    let mut previous = Token::Sign(',');
    for &(token, line) in &tokens[open..] {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return None;
                }
            }
            Token::Text(text) if depth == 1 && matches!(previous, Token::Sign(',' | '(' | '[' | '{')) => {
                return Some((text, line));
            }
            _ => {}
        }
        previous = token;
    }
    None
}

fn check_style(file: &str, line: usize, what: &str, text: &str, findings: &mut Vec<Finding>) {
    let word = text
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let mut letters = word.chars();
    let is_capital = letters.next().is_some_and(char::is_uppercase);
    let is_acronym = letters.any(char::is_uppercase) || word.chars().count() == 1;
    if is_capital && !is_acronym && !PROPER_NAMES.contains(&word) {
        findings.push(Finding::error(
            file,
            line,
            format!("{what} text begins with a capital: {text:?}"),
        ));
    }
    if text.trim_end().ends_with('.') {
        findings.push(Finding::error(
            file,
            line,
            format!("{what} text ends with a full stop: {text:?}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check("a.rs", source, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn left_over_macros_are_found_in_code_only() {
        assert_eq!(found("fn f() {\n    todo!()\n}"), ["a.rs:2: todo! is left over"]);
        assert_eq!(found("dbg!(x); std::unimplemented!{}").len(), 2);
        assert_eq!(
            found("// todo!()\nlet todo = \"dbg!()\"; if todo != (x) {}"),
            [""; 0]
        );
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        assert_eq!(found("#[test]\n#[ignore]\nfn f() {}").len(), 1);
        assert_eq!(found("#[ignore = \"needs a network\"]\nfn f() {}"), [""; 0]);
    }

    #[test]
    fn log_messages_begin_small_and_end_without_full_stop() {
        assert_eq!(
            found("tracing::warn!(%error, name = \"Kept As Is.\", \"Lost\");"),
            ["a.rs:1: log text begins with a capital: \"Lost\""]
        );
        assert_eq!(
            found("info!(\n    target: \"X.\",\n    count = f(\"A.\"),\n    \"ready.\"\n)"),
            ["a.rs:4: log text ends with a full stop: \"ready.\""]
        );
        for good in [
            "error!(%e, \"records refused\")",
            "info!(\"JSON read\")",
            "debug!(?x)",
            "warn!(\"CPython is old\")",
            "info!(\"Python is missing\")",
            "error!(\"{name} is gone\")",
            "write!(f, \"Not a log.\")",
        ] {
            assert_eq!(found(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn error_texts_follow_the_same_style() {
        assert_eq!(found("#[error(\"Not found\")]\nstruct E;").len(), 1);
        assert_eq!(found("#[error(\"not found: {0}.\")]\nstruct E;").len(), 1);
        assert_eq!(
            found("#[error(transparent)]\nA,\n#[error(\"not found\")]\nB"),
            [""; 0]
        );
    }
}
