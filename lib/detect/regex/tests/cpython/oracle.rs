//! The interpreter as a subprocess.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use streamalert_regex::PyVersion;

/// A pattern and what to do with it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) pattern: String,
    pub(crate) flags: u32,
    /// Each with `pos` and `endpos` in characters.
    pub(crate) texts: Vec<(String, usize, usize)>,
    pub(crate) template: String,
    /// `count` of `sub` and `maxsplit` of `split`.
    pub(crate) count: usize,
}

impl Case {
    pub(crate) fn to_json(&self) -> Value {
        json!({"p": self.pattern, "f": self.flags, "t": self.texts, "r": self.template, "n": self.count})
    }
}

/// The subprocess, restarted when a pattern hangs it.
pub(crate) struct Oracle {
    python: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    version: PyVersion,
}

impl Oracle {
    /// None, with a message, when there is no interpreter; a failure where CI is set.
    pub(crate) fn start() -> Option<Oracle> {
        let python = std::env::var("STREAMALERT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        match Oracle::spawn(&python) {
            Ok(mut oracle) => {
                let minor = oracle.ask(vec![json!("version")])[0].as_u64().unwrap();
                oracle.version = PyVersion { minor: minor as u8 };
                Some(oracle)
            }
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "{python} is needed where CI is set: {error}"
                );
                println!("skipped: no {python}: {error}");
                None
            }
        }
    }

    fn spawn(python: &str) -> std::io::Result<Oracle> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cpython/oracle.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Ok(Oracle {
            python: python.to_owned(),
            child,
            input,
            output,
            version: PyVersion::MAX,
        })
    }

    pub(crate) fn version(&self) -> PyVersion {
        self.version
    }

    /// Sends all requests and reads as many answers. One that the interpreter did not survive is null.
    pub(crate) fn ask(&mut self, requests: Vec<Value>) -> Vec<Value> {
        let mut answers = Vec::with_capacity(requests.len());
        while answers.len() < requests.len() {
            let left: Vec<String> = requests[answers.len()..].iter().map(Value::to_string).collect();
            let wanted = requests.len();
            let mut input = self.input.take().unwrap();
            let writer = std::thread::spawn(move || {
                let sent = left.iter().try_for_each(|request| writeln!(input, "{request}"));
                sent.and_then(|()| input.flush()).map(|()| input)
            });
            while answers.len() < wanted {
                let mut line = String::new();
                if self.output.read_line(&mut line).unwrap_or(0) == 0 {
                    answers.push(Value::Null);
                    break;
                }
                answers.push(serde_json::from_str(&line).unwrap());
            }
            match writer.join().unwrap() {
                Ok(input) if answers.last() != Some(&Value::Null) => self.input = Some(input),
                _ => {
                    let version = self.version;
                    *self = Oracle::spawn(&self.python).unwrap();
                    self.version = version;
                }
            }
        }
        answers
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
