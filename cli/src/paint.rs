//! Colours, only where somebody sees them.

use anstyle::{AnsiColor, Style};
use streamalert_config::Problem;

/// Something failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something deserves a look.
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// Something went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// A heading.
pub(crate) const HEAD: Style = Style::new().bold();
/// What may be skipped.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Sets when colours are used; [`anstream`] finds out whether it is a terminal, and honours `NO_COLOR`.
pub(crate) fn choose(choice: anstream::ColorChoice) {
    choice.write_global();
}

/// `text` in `style`.
pub(crate) fn in_style(style: Style, text: impl std::fmt::Display) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// Prints a problem of the configuration.
pub(crate) fn problem(problem: &Problem) {
    let word = if problem.is_error() {
        in_style(BAD, "error:")
    } else {
        in_style(ODD, "warning:")
    };
    let text = problem.to_string().replacen("warning: ", "", 1);
    anstream::eprintln!("{word} {text}");
}
