//! The functions that a rule calls, and why it is not indexed.

use streamalert_native::guard::why_not;
use streamalert_native::lower::{Called, Role, calls};
use streamalert_native::program::{Program, RuleCode};
use streamalert_value::Value;

use super::Place;
use crate::explain::{integer, object, text};

/// A function that a rule calls.
pub(super) struct Function {
    called: Called,
    file: String,
}

pub(super) fn functions(program: &Program, rule: &RuleCode) -> Vec<Function> {
    let with_file = |called: Called| Function {
        file: file(program, called.source),
        called,
    };
    calls(program, rule).into_iter().map(with_file).collect()
}

pub(super) fn why(program: &Program, rule: &RuleCode) -> Vec<Place> {
    let place = |why: streamalert_native::guard::Why| Place {
        file: file(program, why.source),
        line: why.line,
        reason: why.reason,
        advice: String::new(),
    };
    why_not(program, rule).into_iter().map(place).collect()
}

fn file(program: &Program, source: u32) -> String {
    let file = program.files.get(source as usize);
    file.map_or_else(|| "?".to_owned(), ToString::to_string)
}

impl Function {
    const fn role(&self) -> &'static str {
        match self.called.role {
            Role::Matcher => "matcher",
            Role::DynamicOutput => "dynamic output",
            Role::Helper => "helper",
        }
    }

    /// One line.
    pub(super) fn told(&self) -> String {
        let Called {
            name, line, points, ..
        } = &self.called;
        let compiled = match points.len() {
            0 => "native".to_owned(),
            1 => "native but for one place, below".to_owned(),
            many => format!("native but for {many} places, below"),
        };
        format!("{} {name} ({}:{line}): {compiled}", self.role(), self.file)
    }

    pub(super) fn row(&self) -> Value {
        object([
            ("role", text(self.role())),
            ("name", text(&self.called.name)),
            ("file", text(&self.file)),
            ("line", integer(u64::from(self.called.line))),
            ("native", Value::Bool(self.called.points.is_empty())),
            ("fallbacks", integer(self.called.points.len() as u64)),
        ])
    }
}
