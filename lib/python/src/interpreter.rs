use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A CPython that rules can run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable.
    pub path: PathBuf,
    /// Its version, such as `(3, 11, 7)`.
    pub version: (u32, u32, u32),
}

/// What the user can do about it.
const HOW_TO_NAME: &str =
    "name one with the setting python.interpreter, or with --set python.interpreter=PATH";

/// Why no interpreter could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpreterError {
    /// Nothing that answers as Python.
    #[error("no python found, tried {tried}; {HOW_TO_NAME}")]
    NotFound {
        /// What was tried.
        tried: String,
    },
    /// An executable, but it does not answer as Python.
    #[error("{path} is not a python: {why}; {HOW_TO_NAME}")]
    NotPython {
        /// The executable.
        path: PathBuf,
        /// What it did instead.
        why: String,
    },
    /// Found, but not CPython from 3.8 on.
    #[error("{path} is {found}, expected CPython 3.8 or newer; {HOW_TO_NAME}")]
    Unsuitable {
        /// The executable.
        path: PathBuf,
        /// What it says it is.
        found: String,
    },
}

/// The oldest version whose audit hooks the workers rely on.
const VERSION_MIN: (u32, u32) = (3, 8);

/// An interpreter answers what it is within this time, or it is none.
const PROBE_SECS_MAX: u64 = 10;

/// Python 2 understands it as well and so can be told apart from what is no Python.
const PROBE: &str = "import sys; print('%s %d %d %d' % \
    ((getattr(getattr(sys, 'implementation', None), 'name', 'python'),) + tuple(sys.version_info[:3])))";

/// How much of a strange answer is shown.
const ANSWER_CHARS_MAX: usize = 60;

/// Finds the interpreter to use. `wanted` is an executable or a virtual environment's directory; without it
/// `$VIRTUAL_ENV`, then `python3` and `python` on the path.
///
/// # Errors
/// See [`InterpreterError`].
pub async fn find_interpreter(wanted: Option<&Path>) -> Result<Interpreter, InterpreterError> {
    let candidates = candidates(wanted);
    let mut refused = None;
    for path in &candidates {
        match probe(path).await {
            Some(Ok(interpreter)) => return Ok(interpreter),
            Some(Err(error)) => refused = refused.or(Some(error)),
            None => {}
        }
    }
    let tried = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    Err(refused.unwrap_or(InterpreterError::NotFound { tried }))
}

/// What [`find_interpreter`] tries, in this order.
pub(crate) fn candidates(wanted: Option<&Path>) -> Vec<PathBuf> {
    match wanted {
        Some(dir) if dir.is_dir() => vec![dir.join("bin/python3"), dir.join("bin/python")],
        Some(path) => vec![path.to_owned()],
        None => std::env::var_os("VIRTUAL_ENV")
            .map(|dir| Path::new(&dir).join("bin/python"))
            .into_iter()
            .chain(["python3".into(), "python".into()])
            .collect(),
    }
}

/// Asks an executable what it is; `None`: there is no such file.
async fn probe(path: &Path) -> Option<Result<Interpreter, InterpreterError>> {
    let mut command = tokio::process::Command::new(path);
    command
        .args(["-S", "-c", PROBE])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(PROBE_SECS_MAX), command.output());
    let no_python = |why: String| {
        Some(Err(InterpreterError::NotPython {
            path: path.to_owned(),
            why,
        }))
    };
    let output = match output.await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Ok(Err(error)) => return no_python(format!("it cannot be run, {error}")),
        Err(_) => return no_python(format!("it did not answer within {PROBE_SECS_MAX} seconds")),
    };
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let Some((name, version)) = parse_answer(&text) else {
        let answer: String = text.chars().take(ANSWER_CHARS_MAX).collect();
        return no_python(format!(
            "asked for its version it answered {answer:?} with {}",
            output.status
        ));
    };
    if name != "cpython" || (version.0, version.1) < VERSION_MIN {
        return Some(Err(InterpreterError::Unsuitable {
            path: path.to_owned(),
            found: text,
        }));
    }
    Some(Ok(Interpreter {
        path: path.to_owned(),
        version,
    }))
}

/// Name and version out of what [`PROBE`] prints.
fn parse_answer(text: &str) -> Option<(&str, (u32, u32, u32))> {
    let mut words = text.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let mut number = || words.next().and_then(|word| word.parse().ok());
    let version = (number()?, number()?, number()?);
    words.next().is_none().then_some((name, version))
}
