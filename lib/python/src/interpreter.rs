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

/// Why no interpreter could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpreterError {
    /// Nothing that answers as Python.
    #[error("no python found, tried {tried}; name one with the interpreter setting")]
    NotFound {
        /// What was tried.
        tried: String,
    },
    /// Found, but not CPython from 3.8 on.
    #[error("{path} is {found}, expected CPython 3.8 or newer")]
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

const PROBE: &str = "import sys; print(sys.implementation.name, *sys.version_info[:3])";

/// Finds the interpreter to use. `wanted` is an executable or a virtual environment's directory; without it
/// `$VIRTUAL_ENV`, then `python3` and `python` on the path.
///
/// # Errors
/// See [`InterpreterError`].
pub async fn find_interpreter(wanted: Option<&Path>) -> Result<Interpreter, InterpreterError> {
    let candidates: Vec<PathBuf> = match wanted {
        Some(dir) if dir.is_dir() => vec![dir.join("bin/python3"), dir.join("bin/python")],
        Some(path) => vec![path.to_owned()],
        None => std::env::var_os("VIRTUAL_ENV")
            .map(|dir| Path::new(&dir).join("bin/python"))
            .into_iter()
            .chain(["python3".into(), "python".into()])
            .collect(),
    };
    let mut unsuitable = None;
    for path in &candidates {
        match probe(path).await {
            Some(Ok(interpreter)) => return Ok(interpreter),
            Some(Err(error)) => unsuitable = unsuitable.or(Some(error)),
            None => {}
        }
    }
    let tried = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    Err(unsuitable.unwrap_or(InterpreterError::NotFound { tried }))
}

async fn probe(path: &Path) -> Option<Result<Interpreter, InterpreterError>> {
    let mut command = tokio::process::Command::new(path);
    command
        .args(["-S", "-c", PROBE])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(PROBE_SECS_MAX), command.output());
    let output = output.await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut words = text.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let mut number = || words.next().and_then(|word| word.parse().ok());
    let version: (u32, u32, u32) = (number()?, number()?, number()?);
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
