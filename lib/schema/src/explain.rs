use std::sync::Arc;

use crate::refusal::Refusal;
use crate::unit::UnitRun;

/// What every schema of a selection makes of one unit.
#[derive(Debug, Clone)]
pub struct UnitExplanation {
    /// Why the unit is not JSON or cannot be opened, if so.
    pub not_json: Option<String>,
    /// The schemas in the order in which they are tried.
    pub schemas: Vec<SchemaExplanation>,
}

/// What one schema makes of a unit.
#[derive(Debug, Clone)]
pub struct SchemaExplanation {
    /// The log type.
    pub log_type: Arc<str>,
    /// Whether its keys, seen from outside, brought it into question at all.
    pub candidate: bool,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of trying a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the unit.
    Taken {
        /// Records it takes.
        records: usize,
        /// Sub-records it does not.
        failures: usize,
    },
    /// It would take the unit, but an earlier one has taken it.
    Shadowed,
    /// It does not take it.
    Refused(Refusal),
}

impl UnitExplanation {
    pub(crate) fn unreadable(reason: String) -> Self {
        Self {
            not_json: Some(reason),
            schemas: Vec::new(),
        }
    }
}

impl UnitRun<'_> {
    pub(crate) fn explain(&mut self) -> UnitExplanation {
        self.begin();
        let order = self.order();
        let mut taken = false;
        let mut schemas = Vec::with_capacity(self.schemas.list.len());
        for at in 0..self.schemas.list.len() {
            let candidate = order.contains(&(at as u32));
            let outcome = if candidate { self.attempt(at) } else { None };
            let verdict = match outcome {
                Some(_) if taken => Verdict::Shadowed,
                Some(outcome) => {
                    taken = true;
                    Verdict::Taken {
                        records: outcome.unit.records.len(),
                        failures: outcome.unit.failures.len(),
                    }
                }
                None => Verdict::Refused(self.why_not(at)),
            };
            schemas.push(SchemaExplanation {
                log_type: Arc::clone(&self.schemas.list[at].log_type),
                candidate,
                verdict,
            });
        }
        UnitExplanation {
            not_json: self.not_json.clone(),
            schemas,
        }
    }
}
