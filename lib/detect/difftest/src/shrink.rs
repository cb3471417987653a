//! Makes a case smaller that shows a difference, as long as it shows the same sort.

use std::path::Path;
use std::time::Duration;

use crate::process::{Process, Reader};
use crate::python::scripts;
use crate::subject::Case;

const LIMIT: Duration = Duration::from_secs(60);

/// Cases tried for one difference; each costs an evaluation by both engines.
const TRIES_MAX: usize = 1000;

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

    fn candidates(&mut self, kind: u8, text: &str) -> Vec<String> {
        let Some(process) = &mut self.process else {
            return Vec::new();
        };
        let mut body = vec![kind];
        body.extend_from_slice(text.as_bytes());
        let answer = process.send(&body).and_then(|()| process.receive(LIMIT));
        let Ok(answer) = answer else {
            self.process = None;
            return Vec::new();
        };
        let mut reader = Reader(&answer);
        let count = reader.number().unwrap_or(0);
        (0..count)
            .map_while(|_| reader.text().ok().map(str::to_owned))
            .collect()
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
        let mut skip = 0;
        loop {
            let candidates = self.candidates(b'P', &best.source);
            let count = candidates.len();
            // What did not work just before seldom works now, so that the next round begins where this one ended.
            let order = (skip.min(count)..count).chain(0..skip.min(count));
            let better = order.into_iter().find_map(|index| {
                let source = candidates.get(index)?.clone();
                let smaller = Case {
                    source,
                    ..best.clone()
                };
                check(&smaller).then_some((index, smaller))
            });
            match better {
                Some((index, smaller)) => (skip, *best) = (index, smaller),
                None => return,
            }
        }
    }

    fn records(&mut self, best: &mut Case, check: &mut dyn FnMut(&Case) -> bool) {
        for index in 0..best.records.len() {
            let mut skip = 0;
            while let Some(record) = best.records.get(index).cloned() {
                let candidates = self.candidates(b'R', &record);
                let count = candidates.len();
                let order = (skip.min(count)..count).chain(0..skip.min(count));
                let better = order.into_iter().find_map(|at| {
                    let mut smaller = best.clone();
                    *smaller.records.get_mut(index)? = candidates.get(at)?.clone();
                    check(&smaller).then_some((at, smaller))
                });
                match better {
                    Some((at, smaller)) => (skip, *best) = (at, smaller),
                    None => break,
                }
            }
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
