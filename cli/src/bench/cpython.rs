//! One CPython process that runs the same rules on the same records (`benches/cpython.py`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use streamalert_python::PoolOptions;
use streamalert_types::Record;
use tempfile::TempDir;

use super::engine::{Counts, RuleTime};
use crate::failure::Failure;

const SCRIPT: &str = include_str!("../../../benches/cpython.py");

/// The process, loaded and waiting.
pub(super) struct CPython {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Version of the interpreter.
    pub(super) python: String,
    /// The module that reads records: `orjson` or `json`.
    pub(super) json: String,
    _dir: TempDir,
}

/// One pass over all records.
pub(super) struct PyPass {
    pub(super) time: Duration,
    /// Alerts by rule name; none for rules without.
    pub(super) fired: BTreeMap<String, u64>,
    /// Exceptions by rule name.
    pub(super) raised: BTreeMap<String, u64>,
}

impl CPython {
    /// Starts the process and loads the rules of `options`, as a worker of them would, and `records`.
    pub(super) fn start(
        interpreter: &Path,
        options: &PoolOptions,
        records: &[Record],
    ) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let at = |name: &str| dir.path().join(name);
        streamalert_python::write_python_files(&at("shim"))?;
        std::fs::write(at("cpython.py"), SCRIPT)?;
        write_records(&at("records"), records)?;
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| shown(path)).collect::<Vec<_>>();
        let told = json!({
            "shim": shown(&at("shim")),
            "records": shown(&at("records")),
            "repo_root": shown(&options.repo_root),
            "rule_dirs": paths(&options.rule_dirs),
            "matcher_dirs": paths(&options.matcher_dirs),
            "publisher_dirs": paths(&options.publisher_dirs),
            "conf_dir": shown(options.conf_dir.as_deref().unwrap_or(&options.repo_root.join("conf"))),
            "lookup_tables": options.lookup_tables.iter()
                .map(|(name, path)| (name.clone(), json!(shown(path))))
                .collect::<serde_json::Map<_, _>>(),
            "skip_files": [],
        });
        std::fs::write(at("options.json"), told.to_string())?;
        let mut child = Command::new(interpreter)
            .args(["-I", "-B"])
            .args([at("cpython.py"), at("options.json")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::while_doing("cannot start python to compare with", error))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| gone("it has no output"))?;
        let mut python = Self {
            child,
            input,
            output: BufReader::new(output),
            python: String::new(),
            json: String::new(),
            _dir: dir,
        };
        let about = python.answer()?;
        if let Some(error) = about["errors"].as_array().and_then(|errors| errors.first()) {
            return Err(gone(format!("a rule file does not load: {error}")));
        }
        python.python = about["python"].as_str().unwrap_or_default().to_owned();
        python.json = about["json"].as_str().unwrap_or_default().to_owned();
        Ok(python)
    }

    /// All records through all rules.
    pub(super) fn pass(&mut self) -> Result<PyPass, Failure> {
        let answer = self.ask("pass")?;
        Ok(PyPass {
            time: Duration::from_secs_f64(answer["secs"].as_f64().unwrap_or_default().max(0.0)),
            fired: numbers(&answer["fired"]),
            raised: numbers(&answer["raised"]),
        })
    }

    /// Each rule on its own, over records that are read already.
    pub(super) fn rule_times(&mut self) -> Result<Vec<RuleTime>, Failure> {
        let answer = self.ask("rules")?;
        let rules = answer["rules"].as_object().into_iter().flatten();
        Ok(rules
            .map(|(name, times)| {
                let pairs = times[0].as_u64().unwrap_or_default();
                RuleTime {
                    name: name.clone(),
                    pairs,
                    ns: times[1].as_f64().unwrap_or_default() / pairs.max(1) as f64,
                }
            })
            .collect())
    }

    fn ask(&mut self, command: &str) -> Result<Value, Failure> {
        let input = self.input.as_mut().ok_or_else(|| gone("it has no input"))?;
        writeln!(input, "{command}").map_err(gone)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(gone)?;
        serde_json::from_str(&line).map_err(|_| gone("it ended, see above"))
    }
}

impl Drop for CPython {
    fn drop(&mut self) {
        // The end of its input ends it; it is killed in case a rule does not.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gone(why: impl std::fmt::Display) -> Failure {
    Failure::while_doing("the python to compare with", why)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A line each: log type, tab, JSON.
fn write_records(path: &Path, records: &[Record]) -> Result<(), Failure> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for record in records {
        file.write_all(record.log_type.as_bytes())?;
        file.write_all(b"\t")?;
        file.write_all(&record.json)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

fn numbers(object: &Value) -> BTreeMap<String, u64> {
    let entries = object.as_object().into_iter().flatten();
    entries
        .map(|(name, number)| (name.clone(), number.as_u64().unwrap_or_default()))
        .collect()
}

/// Where two sides came to different numbers, rule by rule; empty when they agree.
pub(super) fn differences(names: &[String], ours: &Counts, theirs: &PyPass) -> Vec<String> {
    let mut found = Vec::new();
    for (at, name) in names.iter().enumerate() {
        for (what, ours, theirs) in [
            ("alerts", &ours.fired, &theirs.fired),
            ("exceptions", &ours.raised, &theirs.raised),
        ] {
            let ours = ours.get(at).copied().unwrap_or_default();
            let theirs = theirs.get(name).copied().unwrap_or_default();
            if ours != theirs {
                found.push(format!("{name}: {ours} {what}, cpython {theirs}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_fires_elsewhere_once_more_is_named() {
        let names = ["one".to_owned(), "two".to_owned()];
        let ours = Counts {
            fired: vec![3],
            raised: vec![0, 1],
            unknown: 0,
        };
        let mut theirs = PyPass {
            time: Duration::ZERO,
            fired: [("one".to_owned(), 3)].into(),
            raised: [("two".to_owned(), 1)].into(),
        };
        assert!(differences(&names, &ours, &theirs).is_empty());
        theirs.fired.insert("two".to_owned(), 1);
        theirs.raised.clear();
        assert_eq!(
            differences(&names, &ours, &theirs),
            ["two: 0 alerts, cpython 1", "two: 1 exceptions, cpython 0"]
        );
    }
}
