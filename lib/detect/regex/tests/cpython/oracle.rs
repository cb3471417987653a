//! The interpreter as a subprocess.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use streamalert_regex::PyVersion;

/// A pattern and what to do with it.
#[derive(Clone, Debug)]
pub struct Case {
    pub pattern: String,
    pub flags: u32,
    /// Each with `pos` and `endpos` in characters.
    pub texts: Vec<(String, usize, usize)>,
    pub template: String,
    /// `count` of `sub` and `maxsplit` of `split`.
    pub count: usize,
}

impl Case {
    pub fn to_json(&self) -> Value {
        json!({"p": self.pattern, "f": self.flags, "t": self.texts, "r": self.template, "n": self.count})
    }
}

pub struct Oracle {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    version: PyVersion,
}

impl Oracle {
    /// None, with a message, when there is no interpreter; a failure where CI is set.
    pub fn start() -> Option<Oracle> {
        let python = std::env::var("STREAMALERT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cpython/oracle.py");
        let spawned = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "{python} is needed where CI is set: {error}"
                );
                println!("skipped: no {python}: {error}");
                return None;
            }
        };
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut oracle = Oracle {
            child,
            input,
            output,
            version: PyVersion::MAX,
        };
        let minor = oracle.ask(vec![json!("version")])[0].as_u64().unwrap();
        oracle.version = PyVersion { minor: minor as u8 };
        Some(oracle)
    }

    pub fn version(&self) -> PyVersion {
        self.version
    }

    /// Sends all requests and reads as many answers.
    pub fn ask(&mut self, requests: Vec<Value>) -> Vec<Value> {
        let count = requests.len();
        let mut input = self.input.take().unwrap();
        let writer = std::thread::spawn(move || {
            for request in requests {
                writeln!(input, "{request}").unwrap();
            }
            input.flush().unwrap();
            input
        });
        let mut answers = Vec::with_capacity(count);
        for _ in 0..count {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the interpreter ended"
            );
            answers.push(serde_json::from_str(&line).unwrap());
        }
        self.input = Some(writer.join().unwrap());
        answers
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
