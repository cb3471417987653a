//! The native engine as a [`Subject`]: CPython exports the module, the engine compiles and evaluates it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::{RuleIndex, RuleInfo, RuleSet};
use streamalert_native::cx::{Leave, Limits};
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_native::export::Export;
use streamalert_native::lower::compile;
use streamalert_value::Value;

use crate::answer::{Answer, Ran};
use crate::process::{Process, put};
use crate::python::{scripts, shim};
use crate::rng::Rng;
use crate::subject::{Case, Mode, Outcome, Subject, Trouble};

const EXPORT_LIMIT: Duration = Duration::from_secs(10);

/// All generated rules are for this type; rules of real modules are put to every record, too.
const LOG_TYPE: &str = "a:b";

/// Steps after which a forced fallback comes at the latest: most pairs take fewer than a hundred.
const LEAVE_AFTER_MAX: usize = 120;

struct Native {
    interpreter: PathBuf,
    exporter: Option<Process>,
    env: Env,
    /// The last module: it is asked for once per mode.
    last: Option<(String, Loaded)>,
}

type Loaded = Result<Compiled, String>;

struct Compiled {
    engine: Engine,
    names: Vec<String>,
    /// By rule index: the place in `names`.
    places: Vec<usize>,
}

/// The native engine, with this interpreter to load modules.
#[must_use]
pub fn native(interpreter: &Path) -> Box<dyn Subject> {
    Box::new(Native {
        interpreter: interpreter.to_owned(),
        exporter: None,
        env: streamalert_native::testing::env(),
        last: None,
    })
}

impl Native {
    fn export(&mut self, case: &Case) -> Result<Result<Vec<u8>, String>, Trouble> {
        if self.exporter.is_none() {
            let script = scripts().join("exporter.py");
            let arguments = [shim().display().to_string()];
            let process = Process::start(&self.interpreter, &script, &arguments, "0");
            self.exporter = Some(process.map_err(Trouble::Gone)?);
        }
        let Some(exporter) = &mut self.exporter else {
            return Err(Trouble::Gone("not started".into()));
        };
        let mut body = Vec::new();
        let root = case.root.as_ref().map(|root| root.display().to_string());
        put(&mut body, &root.unwrap_or_default());
        put(&mut body, &case.source);
        let answer = exporter.send(&body).and_then(|()| exporter.receive(EXPORT_LIMIT));
        if answer.is_err() {
            self.exporter = None;
        }
        let answer = answer?;
        Ok(match answer.split_first() {
            Some((b'L', document)) => Ok(document.to_vec()),
            Some((_, why)) => Err(String::from_utf8_lossy(why).into_owned()),
            None => Err("an empty export".to_owned()),
        })
    }
}

impl Subject for Native {
    fn name(&self) -> String {
        "native".to_owned()
    }

    fn finish(&mut self, case: &Case, mode: Mode) -> Result<Outcome, Trouble> {
        if self
            .last
            .as_ref()
            .is_none_or(|(source, _)| *source != case.source)
        {
            let loaded = self.export(case)?.and_then(|document| compiled(&document));
            self.last = Some((case.source.clone(), loaded));
        }
        let Some((_, loaded)) = &self.last else {
            return Err(Trouble::Gone("nothing loaded".into()));
        };
        let compiled = match loaded {
            Ok(compiled) => compiled,
            Err(why) => return Ok(Outcome::NotLoaded(why.clone())),
        };
        let mut scratch = Scratch::new(&compiled.engine);
        let answers = (0..).zip(&case.records);
        let answers =
            answers.map(|(index, record)| compiled.answers(&mut scratch, &self.env, record, (mode, index)));
        Ok(Outcome::Loaded(compiled.names.clone(), answers.collect()))
    }

    fn modes(&self, seed: u64) -> Vec<Mode> {
        vec![Mode::IndexOff, Mode::IndexOn, Mode::ForcedFallback(seed)]
    }
}

fn compiled(document: &[u8]) -> Result<Compiled, String> {
    let values: serde_json::Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let export: Export = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let subkeys: Vec<_> = values["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|rule| rule["info"]["req_subkeys"].clone())
        .collect();
    let names: Vec<String> = export.rules.iter().map(|rule| rule.name.clone()).collect();
    let program = compile(&export).map_err(|error| error.to_string())?;
    let infos = export.rules.iter().zip(subkeys).map(|(rule, subkeys)| {
        let mut info = RuleInfo::named(&rule.name, &[LOG_TYPE]);
        info.matchers = u32::try_from(rule.matchers.len()).unwrap_or(u32::MAX);
        info.context = rule.context.is_some();
        info.dynamic_outputs = !rule.dynamic_outputs.is_empty();
        let subkeys: BTreeMap<String, Vec<String>> = serde_json::from_value(subkeys).unwrap_or_default();
        info.req_subkeys = subkeys.into_iter().collect();
        info
    });
    let rules = RuleSet::new(infos.collect()).map_err(|error| error.to_string())?;
    let by_name: HashMap<&str, usize> = names
        .iter()
        .zip(0..)
        .map(|(name, at)| (name.as_str(), at))
        .collect();
    let place = |name: &str| by_name.get(name).copied().unwrap_or(0);
    let places = rules.rules().iter().map(|rule| place(&rule.name)).collect();
    Ok(Compiled {
        engine: Engine::new(program, Arc::new(rules), Limits::default()),
        places,
        names,
    })
}

impl Compiled {
    fn answers(
        &self,
        scratch: &mut Scratch,
        env: &Env,
        json: &str,
        (mode, index): (Mode, u64),
    ) -> Vec<Answer> {
        let mut answers = vec![Answer::Skipped; self.names.len()];
        let leave_after = match mode {
            Mode::ForcedFallback(seed) => Some(Rng::part(seed, index).below(LEAVE_AFTER_MAX) as u64),
            Mode::IndexOn | Mode::IndexOff => None,
        };
        let options = Options {
            trace: mode != Mode::IndexOn,
            leave_after,
            ..Options::default()
        };
        let event = Event {
            log_type: LOG_TYPE,
            json,
            options,
            skip: &[],
        };
        self.engine
            .evaluate(scratch, env, &event, &mut |rule: RuleIndex, verdict| {
                let place = self.places.get(rule.as_usize()).copied().unwrap_or(0);
                if let Some(answer) = answers.get_mut(place) {
                    *answer = self.answer(verdict);
                }
            });
        answers
    }

    fn answer(&self, verdict: Verdict) -> Answer {
        match verdict {
            Verdict::Fired(fired) => {
                let outputs: Vec<String> = fired
                    .outputs
                    .iter()
                    .map(|output| quoted(&output.to_string()))
                    .collect();
                Answer::Ran(Ran {
                    truth: true,
                    value: None,
                    context: None,
                    alert: Some(fired.context.to_json()),
                    outputs: Some(list(&outputs)),
                    record: Some(fired.record.map_or_else(String::new, |record| {
                        String::from_utf8_lossy(&record).into_owned()
                    })),
                })
            }
            Verdict::False => Answer::Ran(Ran::default()),
            Verdict::NotRun => Answer::NotRun,
            Verdict::Exception(exception) => {
                let class = exception.kind.to_string();
                let nameless = matches!(class.as_str(), "RecursionError" | "MemoryError");
                let quoted = quoted(&exception.message);
                let message = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                Answer::Raised {
                    message: if nameless {
                        String::new()
                    } else {
                        message.to_owned()
                    },
                    class,
                }
            }
            Verdict::OverLimit(limit) => Answer::Fallback {
                reason: format!("over limit: {limit:?}"),
            },
            Verdict::Fallback(departure) => Answer::Fallback {
                reason: match departure.leave {
                    Leave::Here(reason) => reason.to_owned(),
                    Leave::Point(point) => self
                        .engine
                        .program()
                        .points
                        .get(point as usize)
                        .map_or_else(String::new, |point| point.reason.to_string()),
                },
            },
            Verdict::Panicked(message) => Answer::Raised {
                class: "panic".to_owned(),
                message,
            },
        }
    }
}

/// As the runner writes outputs.
fn list(items: &[String]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!("[{}]", items.join(","))
    }
}

/// A text in quotes as Python's `json` writes it: everything but printable ASCII escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

/// A context as CPython's `json` wrote it, in the form that [`Value`] writes.
pub(crate) fn rewritten(json: &str) -> Option<String> {
    Value::parse_json(json.as_bytes())
        .ok()
        .map(|value| value.to_json())
}
