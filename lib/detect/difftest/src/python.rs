//! CPython as an engine: a process with `python/runner.py`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::answer::{Answer, Ran};
use crate::native::rewritten;
use crate::process::{Process, Reader, put};
use crate::subject::{Case, Mode, Outcome, Subject, Trouble};

/// Programs are small: one that takes longer than this does not end.
const LIMIT: Duration = Duration::from_secs(10);

/// Shrinking makes many programs that do not end.
const HURRIED_LIMIT: Duration = Duration::from_millis(600);

/// A CPython of some version, perhaps with broken semantics.
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
    mutant: Option<String>,
    /// PYTHONHASHSEED: a number or `random`.
    hash_seed: String,
    process: Option<Process>,
    sent: Result<(), Trouble>,
    limit: Duration,
}

/// The folder of the scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

pub(crate) fn shim() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/shim")
}

impl Python {
    /// An engine that is started when it is needed.
    #[must_use]
    pub fn new(interpreter: &Path, hash_seed: &str, mutant: Option<&str>) -> Self {
        Self {
            interpreter: interpreter.to_owned(),
            mutant: mutant.map(str::to_owned),
            hash_seed: hash_seed.to_owned(),
            process: None,
            sent: Ok(()),
            limit: LIMIT,
        }
    }

    fn process(&mut self) -> Result<&mut Process, Trouble> {
        if self.process.is_none() {
            let mut arguments = vec![shim().display().to_string()];
            arguments.extend(self.mutant.clone());
            let script = scripts().join("runner.py");
            let process = Process::start(&self.interpreter, &script, &arguments, &self.hash_seed);
            self.process = Some(process.map_err(Trouble::Gone)?);
        }
        self.process
            .as_mut()
            .ok_or_else(|| Trouble::Gone("not started".into()))
    }

    fn received(&mut self, records: usize) -> Result<Outcome, Trouble> {
        std::mem::replace(&mut self.sent, Ok(()))?;
        let limit = self.limit;
        let body = self.process()?.receive(limit)?;
        outcome(&body, records).map_err(Trouble::Gone)
    }
}

impl Subject for Python {
    fn name(&self) -> String {
        let shown = self.interpreter.display();
        self.mutant
            .as_ref()
            .map_or_else(|| shown.to_string(), |mutant| format!("{shown} with {mutant}"))
    }

    fn begin(&mut self, case: &Case, _mode: Mode) {
        let mut body = Vec::new();
        let root = case.root.as_ref().map(|root| root.display().to_string());
        put(&mut body, &root.unwrap_or_default());
        put(&mut body, &case.source);
        let count = u32::try_from(case.records.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&count.to_le_bytes());
        for record in &case.records {
            put(&mut body, record);
        }
        self.sent = self.process().and_then(|process| process.send(&body));
    }

    fn hurry(&mut self) {
        // Started now, so that the limit does not hit the start.
        if self.run(&Case::default(), Mode::IndexOff).is_ok() {
            self.limit = HURRIED_LIMIT;
        }
    }

    fn finish(&mut self, case: &Case, _mode: Mode) -> Result<Outcome, Trouble> {
        let outcome = self.received(case.records.len());
        if outcome.is_err() {
            self.process = None;
        }
        outcome
    }
}

fn outcome(body: &[u8], records: usize) -> Result<Outcome, String> {
    let mut reader = Reader(body);
    match reader.byte()? {
        b'X' => return Ok(Outcome::NotLoaded(reader.text()?.to_owned())),
        b'L' => {}
        other => return Err(format!("unknown answer {other}")),
    }
    let count = reader.number()?;
    let names = (0..count)
        .map(|_| reader.text().map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = (0..records)
        .map(|_| (0..count).map(|_| answer(&mut reader)).collect())
        .collect::<Result<Vec<Vec<Answer>>, String>>()?;
    Ok(Outcome::Loaded(names, answers))
}

fn answer(reader: &mut Reader<'_>) -> Result<Answer, String> {
    let plain = |truth, value: &str| {
        Answer::Ran(Ran {
            truth,
            value: Some(value.to_owned()),
            context: Some(String::new()),
            alert: Some("{}".to_owned()),
            outputs: Some(String::new()),
            record: Some(String::new()),
        })
    };
    Ok(match reader.byte()? {
        b'T' => plain(true, "true"),
        b'F' => plain(false, "false"),
        b'Z' => plain(false, "null"),
        b'N' => Answer::NotRun,
        b'U' => Answer::Unreadable,
        b'E' => {
            let (class, message) = reader.text()?.split_once('\x1f').ok_or("no message")?;
            Answer::Raised {
                class: class.to_owned(),
                message: message.to_owned(),
            }
        }
        b'V' => {
            let mut parts = reader.text()?.split('\x1f');
            let mut next = || parts.next().map(str::to_owned);
            Answer::Ran(Ran {
                truth: next().as_deref() == Some("T"),
                value: next(),
                context: next(),
                alert: next()
                    .filter(|json| !json.is_empty())
                    .and_then(|json| rewritten(&json)),
                outputs: next(),
                record: next(),
            })
        }
        other => return Err(format!("unknown answer {other}")),
    })
}
