//! A rule module: constants, helpers, matchers, rules.

use std::collections::BTreeMap;

use crate::expand::{Place, Var, Writer};
use crate::fields::{self, Field, Kind};
use crate::grammar::{Grammar, Ty};
use crate::literals;
use crate::rng::Rng;

/// Names that a module may use, and the import that makes each known.
const IMPORTS: [(&str, &str); 32] = [
    ("base64", "import base64"),
    ("collections", "import collections"),
    ("datetime", "import datetime"),
    ("fnmatch.", "import fnmatch"),
    ("functools", "import functools"),
    ("hashlib", "import hashlib"),
    ("ipaddress", "import ipaddress"),
    ("itertools", "import itertools"),
    ("json", "import json"),
    ("math", "import math"),
    ("operator", "import operator"),
    ("re", "import re"),
    ("string", "import string"),
    ("time", "import time"),
    ("urllib", "import urllib.parse"),
    ("Counter", "from collections import Counter"),
    ("OrderedDict", "from collections import OrderedDict"),
    ("defaultdict", "from collections import defaultdict"),
    ("deque", "from collections import deque"),
    ("namedtuple", "from collections import namedtuple"),
    ("fnmatch", "from fnmatch import fnmatch"),
    ("fnmatchcase", "from fnmatch import fnmatchcase"),
    ("reduce", "from functools import reduce"),
    ("parse_qs", "from urllib.parse import parse_qs"),
    ("urlparse", "from urllib.parse import urlparse"),
    (
        "Normalizer",
        "from streamalert.shared.normalize import Normalizer",
    ),
    (
        "get_first_key",
        "from streamalert.shared.utils import get_first_key",
    ),
    ("get_keys", "from streamalert.shared.utils import get_keys"),
    ("in_network", "from streamalert.shared.utils import in_network"),
    ("valid_ip", "from streamalert.shared.utils import valid_ip"),
    ("base_helpers", "from rules.helpers import base as base_helpers"),
    ("IPv4Address", "from ipaddress import IPv4Address"),
];

/// A generated module.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its text.
    pub source: String,
    /// The minor version of Python 3 that it needs at least.
    pub needs_minor: u8,
    /// How often each production was used.
    pub coverage: BTreeMap<String, u64>,
    pub(crate) fields: Vec<Field>,
}

/// Writes programs; reads its grammar once.
#[derive(Debug, Clone)]
pub struct Generator {
    grammar: Grammar,
    minor: u8,
}

impl Generator {
    /// A generator of programs for CPython 3.`minor` and newer.
    ///
    /// # Errors
    /// When the grammar cannot be read: file and line.
    pub fn new(minor: u8) -> Result<Self, String> {
        Ok(Self {
            grammar: Grammar::read()?,
            minor,
        })
    }

    /// The names of all productions of the grammar that programs for this version may use.
    #[must_use]
    pub fn productions(&self) -> Vec<&str> {
        let known = self.grammar.productions.iter();
        known
            .filter(|production| production.minor <= self.minor)
            .map(|production| production.name.as_str())
            .collect()
    }

    /// The program of this seed.
    #[must_use]
    pub fn program(&self, seed: u64) -> Program {
        let mut rng = Rng::new(seed);
        let fields = fields::schema(&mut rng);
        let mut writer = Writer::new(&self.grammar, rng, self.minor);
        writer.places = places(&self.grammar, &fields);
        writer.record_name = writer.rng.pick(&["rec", "rec", "record", "event"]).to_owned();
        writer.stateful = writer.rng.percent(2);
        let mut module = Module {
            writer,
            lines: Vec::new(),
        };
        module.write();
        let Module { writer, lines } = module;
        let body = lines.join("\n");
        Program {
            source: format!("{}{body}\n", imports(&body)),
            needs_minor: writer.needs_minor,
            coverage: writer.coverage,
            fields,
        }
    }
}

fn places(grammar: &Grammar, fields: &[Field]) -> Vec<Place> {
    fields::paths(fields)
        .into_iter()
        .map(|(path, field)| Place {
            path,
            kind: field.kind,
            types: field
                .kind
                .types()
                .iter()
                .filter_map(|name| grammar.ty(name).ok())
                .collect(),
            pool: field.pool.clone(),
        })
        .collect()
}

/// The import lines that a body needs.
fn imports(body: &str) -> String {
    let mut text = String::from("from streamalert.shared.rule import rule\n");
    let words: std::collections::BTreeSet<&str> =
        body.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    for (name, line) in IMPORTS {
        let used = match name.strip_suffix('.') {
            Some(_) => body.contains(name),
            None if name == "fnmatch" => body.contains(" fnmatch(") || body.contains("(fnmatch("),
            None => words.contains(name),
        };
        // `import fnmatch` and `from fnmatch import fnmatch` exclude each other.
        if used && !(name == "fnmatch" && text.contains("import fnmatch\n")) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

struct Module<'g> {
    writer: Writer<'g>,
    lines: Vec<String>,
}

impl Module<'_> {
    fn ty(&self, name: &str) -> Ty {
        self.writer.grammar.ty(name).unwrap_or_default()
    }

    fn write(&mut self) {
        self.constants();
        let helpers = self.writer.rng.pick(&[0, 1, 1, 2, 3]);
        for _ in 0..helpers {
            self.define("helper", 40);
        }
        let matchers = self.writer.rng.pick(&[0, 0, 1, 1, 2]);
        let first = self.writer.given.len();
        for _ in 0..matchers {
            self.define("matcher", 40);
        }
        let matchers = self.writer.given.split_off(first.min(self.writer.given.len()));
        let matchers: Vec<String> = matchers.iter().map(|(_, line)| plain(line)).collect();
        let mut outputs = Vec::new();
        if self.writer.rng.percent(22) {
            let first = self.writer.given.len();
            self.define("outputs", 20);
            let given = self.writer.given.split_off(first.min(self.writer.given.len()));
            outputs.extend(given.iter().map(|(_, line)| plain(line)));
        }
        let rules = self.writer.rng.between(2, 4);
        for index in 0..rules {
            self.rule(index, &matchers, &outputs);
        }
    }

    fn constants(&mut self) {
        const TYPES: [&str; 26] = [
            "S", "S", "LS", "LS", "TS", "SS", "SS", "I", "I", "F", "Y", "L", "T", "D", "DS", "DI", "SI",
            "RE", "RE", "O", "PS", "EXC", "B", "NET", "LI", "NETO",
        ];
        let count = self.writer.rng.between(3, 7);
        for _ in 0..count {
            let name = self.writer.rng.pick(&TYPES);
            let ty = self.ty(name);
            let constant = self.writer.fresh("C");
            self.writer.budget = 8;
            let deep = self.writer.rng.percent(8);
            let text = self.constant(name, ty, deep);
            self.lines.push(format!("{constant} = {text}"));
            self.writer.globals.push(Var {
                name: constant,
                ty,
                fixed: true,
            });
        }
        if self.writer.stateful {
            self.lines.push("STATE = {'n': 0, 'seen': []}".to_owned());
            self.lines.push("COUNT = 0".to_owned());
        }
    }

    /// Mostly plain data, often of what records hold.
    fn constant(&mut self, name: &str, ty: Ty, deep: bool) -> String {
        let pools: Vec<String> = self
            .writer
            .places
            .iter()
            .filter(|place| matches!(place.kind, Kind::Word | Kind::Text | Kind::Path | Kind::Ip))
            .flat_map(|place| place.pool.clone())
            .collect();
        let rng = &mut self.writer.rng;
        let shape = match name {
            "LS" => "[]",
            "TS" => "()",
            "SS" => "{}",
            _ => "",
        };
        if shape.is_empty() || deep || pools.is_empty() {
            return self.writer.expression(ty, usize::from(deep)).0;
        }
        let items: Vec<String> = (0..rng.between(1, 4))
            .map(|_| literals::python(&rng.pick(&pools)))
            .collect();
        match shape {
            "[]" => format!("[{}]", items.join(", ")),
            "()" => format!("({},)", items.join(", ")),
            _ => format!("{{{}}}", items.join(", ")),
        }
    }

    fn define(&mut self, kind: &str, budget: isize) {
        self.writer.budget = budget;
        self.writer.vars.clear();
        let given = self.writer.given.clone();
        let before = given.len();
        let mut lines = vec![String::new()];
        let ty = self.ty(kind);
        self.writer.around = crate::expand::Around {
            record: true,
            ..Default::default()
        };
        self.writer.statement(ty, 2, &mut lines, 0);
        self.writer.around = crate::expand::Around::default();
        self.writer.vars.clear();
        // Nested definitions are known inside only; what the definition itself gives stays.
        debug_assert!(self.writer.given.len() >= before, "definitions only add calls");
        self.lines.extend(lines);
    }

    fn rule(&mut self, index: usize, matchers: &[String], outputs: &[String]) {
        let context = self.writer.rng.percent(60);
        let mut options = vec!["logs=['a:b']".to_owned()];
        if !matchers.is_empty() && self.writer.rng.percent(45) {
            self.writer.hit("rule matchers");
            options.push(format!("matchers=[{}]", matchers.join(", ")));
        }
        if self.writer.rng.percent(15)
            && let Some(text) = self.subkeys()
        {
            self.writer.hit("rule req_subkeys");
            options.push(text);
        }
        if context {
            self.writer.hit("rule context");
            let start = self
                .writer
                .rng
                .pick(&["{}", "{'a': None}", "{'n': 0, 'seen': []}"]);
            options.push(format!("context={start}"));
        }
        if let Some(output) = outputs.first() {
            self.writer.hit("rule dynamic_outputs");
            options.push(format!("dynamic_outputs=[{output}]"));
        }
        let name = self.writer.record_name.clone();
        let more = if context { ", context" } else { "" };
        self.lines
            .extend([String::new(), format!("@rule({})", options.join(", "))]);
        self.lines.push(format!("def r{index}({name}{more}):"));
        self.body(context);
    }

    fn body(&mut self, context: bool) {
        let writer = &mut self.writer;
        writer.budget = 70;
        writer.vars.clear();
        let given = writer.given.len();
        let returns = if writer.rng.percent(85) { "B" } else { "A" };
        writer.around = crate::expand::Around {
            record: true,
            context,
            functions: 1,
            returns: writer.grammar.ty(returns).unwrap_or_default(),
            ..Default::default()
        };
        let count = writer.rng.pick(&[0, 1, 1, 2, 2, 3, 4]);
        let depth = writer.rng.between(2, 3);
        if count > 0 {
            writer.statements(count, depth, &mut self.lines, 4);
        }
        writer.budget = writer.budget.max(12);
        if context {
            // What statements did is seen in what they left.
            let any = writer.grammar.ty("A").unwrap_or_default();
            let shown = writer.accepted(any);
            for var in writer.vars.clone() {
                if shown.contains(&var.ty) && writer.rng.percent(60) {
                    let key = writer.fresh("k");
                    self.lines.push(format!("    context['{key}'] = {}", var.name));
                }
            }
            for _ in 0..writer.rng.between(1, 3) {
                let key = writer.fresh("k");
                let any = writer.grammar.ty("A").unwrap_or_default();
                let value = writer.expression(any, depth).0;
                self.lines.push(format!("    context['{key}'] = {value}"));
            }
            writer.budget = writer.budget.max(6);
        }
        if !writer.rng.percent(4) {
            let value = writer.expression(writer.around.returns, depth).0;
            // Contexts are told when a rule fires.
            let fires = context && writer.rng.percent(40);
            let value = if fires {
                format!("({value}) or True")
            } else {
                value
            };
            self.lines.push(format!("    return {value}"));
        }
        self.lines.push("    pass".to_owned());
        writer.around = crate::expand::Around::default();
        writer.given.truncate(given);
        writer.vars.clear();
    }

    fn subkeys(&mut self) -> Option<String> {
        let nested: Vec<usize> = (0..self.writer.places.len())
            .filter(|&index| {
                self.writer
                    .places
                    .get(index)
                    .is_some_and(|place| place.path.len() == 2)
            })
            .collect();
        if nested.is_empty() {
            return None;
        }
        let place = self.writer.places.get(self.writer.rng.pick(&nested))?;
        let [key, sub] = place.path.as_slice() else {
            return None;
        };
        Some(format!(
            "req_subkeys={{{}: [{}]}}",
            literals::string(key),
            literals::string(sub)
        ))
    }
}

/// The text of a line without holes.
fn plain(line: &crate::grammar::Line) -> String {
    let parts = line.parts.iter().filter_map(|part| match part {
        crate::grammar::Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    parts.collect()
}
