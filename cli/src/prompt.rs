//! Asking people: for what must not be seen, for the rest, and for a yes.

use std::io::{IsTerminal, Read, Stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use streamalert_secrets::Secret;

use crate::failure::Failure;

/// A secret is a line or a small document, and no file that was piped in by mistake.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// The secret `name` from standard input: one line without echo from a terminal, everything from a pipe. A line end at
/// its end is left out.
pub(crate) fn secret(name: &str) -> Result<Secret, Failure> {
    let input = std::io::stdin();
    let text = if input.is_terminal() {
        anstream::eprint!("{name}: ");
        let line = hidden_line(&input);
        anstream::eprintln!();
        line?
    } else {
        let mut text = String::new();
        let read = input.lock().take(SECRET_BYTES_MAX + 1).read_to_string(&mut text);
        // What cannot be read as text is not quoted.
        read.map_err(|_| Failure::Other("the secret is no text".to_owned()))?;
        Secret::new(text)
    };
    let text = text.expose();
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Failure::Other("the secret is longer than 64 KB".to_owned()));
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::Other("the secret is empty".to_owned()));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Whether there is somebody to ask.
pub(crate) fn somebody() -> bool {
    std::io::stdin().is_terminal()
}

/// A line from the terminal, without space around it; it may be empty.
pub(crate) fn line(question: &str) -> Result<String, Failure> {
    anstream::eprint!("{question}: ");
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line)? == 0 {
        return Err(Failure::Other("the input has ended".to_owned()));
    }
    Ok(line.trim().to_owned())
}

/// A yes or a no; what is meant by neither.
pub(crate) fn yes(question: &str, neither: bool) -> Result<bool, Failure> {
    let choices = if neither { "Y/n" } else { "y/N" };
    let answer = line(&format!("{question} [{choices}]"))?.to_lowercase();
    Ok(match answer.chars().next() {
        None => neither,
        Some(first) => first == 'y',
    })
}

fn hidden_line(input: &Stdin) -> Result<Secret, Failure> {
    let before = tcgetattr(input).map_err(std::io::Error::from)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(input, OptionalActions::Flush, &silent).map_err(std::io::Error::from)?;
    let _echo = Echo { input, before };
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(Secret::new(line))
}

/// Puts the terminal back as it was.
struct Echo<'a> {
    input: &'a Stdin,
    before: Termios,
}

impl Drop for Echo<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.input, OptionalActions::Flush, &self.before);
    }
}
