//! Makes a case smaller that shows a difference, as long as it shows the same sort.

use std::path::Path;
use std::time::Duration;

use crate::process::{Process, Reader};
use crate::python::scripts;
use crate::subject::Case;

const LIMIT: Duration = Duration::from_secs(60);

/// Cases tried for one difference; each costs an evaluation by both engines.
const TRIES_MAX: usize = 600;

/// How many `shrink.py` proposes at once.
const AT_ONCE: usize = 40;

/// Proposes what is smaller.
#[derive(Debug)]
pub(crate) struct Shrinker {
    process: Option<Process>,
}

impl Shrinker {
    /// With this interpreter, which should be 3.9 or newer: older ones cannot write programs.
    pub(crate) fn new(interpreter: &Path) -> Self {
        let script = scripts().join("shrink.py");
        Self {
            process: Process::start(interpreter, &script, &[], "0").ok(),
        }
    }

    /// How many candidates there are, and some of them from a place on.
    fn candidates(&mut self, kind: u8, start: usize, text: &str) -> (usize, Vec<String>) {
        let none = (0, Vec::new());
        let Some(process) = &mut self.process else {
            return none;
        };
        let mut body = vec![kind];
        body.extend_from_slice(&u32::try_from(start).unwrap_or(0).to_le_bytes());
        body.extend_from_slice(text.as_bytes());
        let answer = process.send(&body).and_then(|()| process.receive(LIMIT));
        let Ok(answer) = answer else {
            self.process = None;
            return none;
        };
        let mut reader = Reader(&answer);
        let total = reader.number().unwrap_or(0);
        let count = reader.number().unwrap_or(0);
        let found = (0..count).map_while(|_| reader.text().ok().map(str::to_owned));
        (total, found.collect())
    }

    /// Takes candidates as long as one is found that passes; goes on where the last was found, since what did not
    /// work just before seldom works now.
    fn reduce(&mut self, kind: u8, text: &mut String, check: &mut dyn FnMut(&str) -> bool) {
        let (mut start, mut tried) = (0, 0);
        loop {
            let (total, candidates) = self.candidates(kind, start, text);
            match candidates.iter().position(|candidate| check(candidate)) {
                Some(index) => {
                    if let Some(candidate) = candidates.get(index) {
                        candidate.clone_into(text);
                    }
                    (start, tried) = (start + index, 0);
                }
                None => {
                    tried += AT_ONCE;
                    start += AT_ONCE;
                    if tried >= total + AT_ONCE {
                        return;
                    }
                }
            }
            if start >= total {
                start = 0;
            }
        }
    }

    /// The smallest case found that still is `wanted`; `record` is where the difference is.
    pub(crate) fn shrink(
        &mut self,
        case: &Case,
        record: usize,
        wanted: &mut dyn FnMut(&Case) -> bool,
    ) -> Case {
        let mut tries = TRIES_MAX;
        let mut check = |case: &Case| {
            tries = tries.saturating_sub(1);
            tries > 0 && wanted(case)
        };
        let mut best = case.clone();
        fewer_records(&mut best, record, &mut check);
        for _ in 0..3 {
            let before = best.clone();
            self.program(&mut best, &mut check);
            self.records(&mut best, &mut check);
            if best == before {
                break;
            }
        }
        best
    }

    fn program(&mut self, best: &mut Case, check: &mut dyn FnMut(&Case) -> bool) {
        let mut source = best.source.clone();
        self.reduce(b'P', &mut source, &mut |source| {
            let source = source.to_owned();
            check(&Case {
                source,
                ..best.clone()
            })
        });
        best.source = source;
    }

    fn records(&mut self, best: &mut Case, check: &mut dyn FnMut(&Case) -> bool) {
        for index in 0..best.records.len() {
            let mut record = best.records.get(index).cloned().unwrap_or_default();
            let with = |record: &str| {
                let mut case = best.clone();
                if let Some(place) = case.records.get_mut(index) {
                    record.clone_into(place);
                }
                case
            };
            self.reduce(b'R', &mut record, &mut |record| check(&with(record)));
            *best = with(&record);
        }
    }
}

/// Mostly one record shows it; when earlier ones matter, as many as are needed.
fn fewer_records(best: &mut Case, record: usize, check: &mut dyn FnMut(&Case) -> bool) {
    let one = best.records.get(record).cloned().into_iter().collect();
    let single = Case {
        records: one,
        ..best.clone()
    };
    if check(&single) {
        *best = single;
        return;
    }
    let mut chunk = best.records.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < best.records.len() && best.records.len() > 1 {
            let mut smaller = best.clone();
            smaller.records.drain(at..(at + chunk).min(best.records.len()));
            if check(&smaller) {
                *best = smaller;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
}
