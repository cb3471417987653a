//! Modules of rules by a small grammar, aimed at what the index is made of.

use std::fmt::Write;

use super::random::Random;
use super::words::{CONTAINERS, EXCEPTIONS, FIELDS, HEAD, NETWORKS, TEXTS, VALUES};

/// Writes one module.
pub(super) struct Writer<'r> {
    random: &'r mut Random,
    out: String,
    /// Names of loop variables that hold texts here.
    loops: Vec<String>,
    in_loop: bool,
    next: u32,
}

/// A module of `count` rules.
pub(super) fn module(random: &mut Random, count: usize) -> String {
    let mut writer = Writer {
        random,
        out: HEAD.to_owned(),
        loops: Vec::new(),
        in_loop: false,
        next: 0,
    };
    for number in 0..count {
        writer.rule(number);
    }
    writer.out
}

impl Writer<'_> {
    fn rule(&mut self, number: usize) {
        let options = [
            "",
            "",
            "",
            "",
            ", matchers=[is_root]",
            ", matchers=[Match.known, Match.small]",
            ", matchers=[tried]",
            ", matchers=[lambda rec: rec['a'] != 'x', lambda rec: rec['d']['k'].lower() == 'root']",
            ", context={'n': []}",
            ", req_subkeys={'d': ['k']}",
        ];
        let options = self.random.pick(&options);
        let second = if options.contains("context") {
            ", context"
        } else {
            ""
        };
        writeln!(
            self.out,
            "@rule(logs=['a:b']{options})\ndef r{number}(rec{second}):"
        )
        .unwrap();
        if self.random.chance(60) {
            let value = self.field();
            writeln!(self.out, "    v = {value}").unwrap();
        }
        if self.random.chance(40) {
            let value = self.condition(1);
            writeln!(self.out, "    w = {value}").unwrap();
        }
        if self.random.chance(60) {
            let alias = [
                "rec['d']",
                "rec.get('d', {})",
                "rec.get('d')",
                "rec.get('d') or {}",
                "rec",
            ];
            let alias = self.random.pick(&alias);
            writeln!(self.out, "    e = {alias}").unwrap();
        }
        if !second.is_empty() && self.random.chance(70) {
            let place =
                self.random
                    .pick(&["context['x']", "context['n']", "context[v]", "context['n']['x']"]);
            let value = self.field();
            writeln!(self.out, "    {place} = {value}").unwrap();
        }
        self.body(1, 3);
        let result = self.condition(2);
        if self.random.chance(85) {
            writeln!(self.out, "    return {result}\n").unwrap();
        } else {
            writeln!(self.out, "    {result}\n").unwrap();
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&"    ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn body(&mut self, indent: usize, depth: usize) {
        for _ in 0..self.random.below(3) {
            self.statement(indent, depth);
        }
    }

    /// At least one statement.
    fn block(&mut self, indent: usize, depth: usize) {
        self.statement(indent, depth);
        if self.random.chance(30) {
            self.statement(indent, depth);
        }
    }

    fn statement(&mut self, indent: usize, depth: usize) {
        if depth == 0 {
            return self.simple(indent);
        }
        match self.random.below(14) {
            0..=3 => {
                let test = self.condition(2);
                self.line(indent, &format!("if {test}:"));
                self.block(indent + 1, depth - 1);
                while self.random.chance(25) {
                    let test = self.condition(1);
                    self.line(indent, &format!("elif {test}:"));
                    self.block(indent + 1, depth - 1);
                }
                if self.random.chance(40) {
                    self.line(indent, "else:");
                    self.block(indent + 1, depth - 1);
                }
            }
            4..=5 => self.attempt(indent, depth),
            6..=7 => self.over_constants(indent, depth),
            8 => {
                let test = self.condition(1);
                self.line(indent, &format!("while {test}:"));
                let outer = std::mem::replace(&mut self.in_loop, true);
                self.block(indent + 1, depth - 1);
                self.in_loop = outer;
                self.line(indent + 1, "break");
            }
            _ => self.simple(indent),
        }
    }

    fn attempt(&mut self, indent: usize, depth: usize) {
        self.line(indent, "try:");
        self.block(indent + 1, depth - 1);
        let has_handlers = self.random.chance(85);
        if has_handlers {
            let exception = self.random.pick(EXCEPTIONS);
            if exception != "except:" && self.random.chance(30) {
                let before = self.random.pick(EXCEPTIONS);
                if before != "except:" {
                    self.line(indent, before);
                    self.block(indent + 1, depth - 1);
                }
            }
            self.line(indent, exception);
            self.block(indent + 1, depth - 1);
            if self.random.chance(20) {
                self.line(indent, "else:");
                self.block(indent + 1, depth - 1);
            }
        }
        if !has_handlers || self.random.chance(15) {
            self.line(indent, "finally:");
            self.block(indent + 1, depth - 1);
        }
    }

    fn over_constants(&mut self, indent: usize, depth: usize) {
        self.next += 1;
        let name = format!("i{}", self.next);
        let (target, over) = match self.random.below(8) {
            0 => (format!("({name}, v)"), "PAIRS"),
            1 => (format!("_, {name}"), "UNEVEN"),
            2 => {
                let over = [
                    "rec['l']",
                    "rec.get('l') or []",
                    "rec.get('l', [])",
                    "rec['d']['e']",
                    "e.get('k', ())",
                    "v",
                ];
                (name.clone(), self.random.pick(&over))
            }
            3 => ("v".to_owned(), "NAMES"),
            _ => (
                name.clone(),
                self.random
                    .pick(&["NAMES", "SET", "TUPLE", "TABLE", "EMPTY", "('x', 'root')"]),
            ),
        };
        self.line(indent, &format!("for {target} in {over}:"));
        if target != "v" {
            self.loops.push(name);
        }
        let outer = std::mem::replace(&mut self.in_loop, true);
        self.block(indent + 1, depth - 1);
        self.in_loop = outer;
        if target != "v" && self.random.chance(80) {
            self.loops.pop();
        }
        if self.random.chance(20) {
            self.line(indent, "else:");
            self.block(indent + 1, depth - 1);
        }
    }

    fn simple(&mut self, indent: usize) {
        let text = match self.random.below(16) {
            0..=4 => format!("return {}", self.condition(1)),
            5 => "return False".to_owned(),
            6 => "return True".to_owned(),
            7 if self.random.chance(40) => format!("v, w = {}, {}", self.field(), self.field()),
            7 => format!("v = {}", self.field()),
            8 => format!("w = {}", self.condition(1)),
            9 => format!("v = {}", self.text()),
            10 => format!(
                "e = {}",
                self.random
                    .pick(&["rec['d']", "{}", "rec.get('d', {})", "rec['d']['e']"])
            ),
            11 if self.in_loop => self.random.pick(&["break", "continue"]).to_owned(),
            12 => {
                let condition = self.condition(1);
                format!("assert {condition}, v")
            }
            13 if self.random.chance(30) => self
                .random
                .pick(&[
                    "raise ValueError(v)",
                    "raise KeyError('x')",
                    "rec['a'] = 'x'",
                    "e['k'] = 'x'",
                    "del v",
                    "v += 'x'",
                    "v, w = w, v",
                    "e.update(k='x')",
                    "NAMES.append('q')",
                    "rec.pop('a')",
                    "rec = rec['d']",
                    "rec = {'a': 'x'}",
                ])
                .to_owned(),
            _ => self.condition(1),
        };
        self.line(indent, &text);
    }

    fn field(&mut self) -> String {
        if !self.loops.is_empty() && self.random.chance(10) {
            let name = self.loops[self.random.below(self.loops.len())].clone();
            return format!("rec[{name}]");
        }
        let field = self.random.pick(FIELDS);
        match self.random.below(14) {
            0..=1 => format!("{field}.lower()"),
            2 => format!("{field}.upper()"),
            3 => format!("{field}.strip()"),
            4 if self.random.chance(50) => format!("{field}.split('/')[0]"),
            4 => {
                let split = [
                    ".split('o', 1)[0]",
                    ".rsplit('/', 1)[-1]",
                    ".split('o', 2)[1]",
                    ".rsplit('', 1)[0]",
                ];
                format!("{field}{}", self.random.pick(&split))
            }
            5 => format!("str({field})"),
            6 => format!("len({field})"),
            _ => field.to_owned(),
        }
    }

    fn text(&mut self) -> String {
        if !self.loops.is_empty() && self.random.chance(40) {
            return self.loops[self.random.below(self.loops.len())].clone();
        }
        self.random.pick(TEXTS).to_owned()
    }

    fn value(&mut self) -> String {
        if self.random.chance(65) {
            self.text()
        } else {
            self.random.pick(VALUES).to_owned()
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.random.chance(45) {
            let one = self.condition(depth - 1);
            return match self.random.below(8) {
                0..=2 => format!("({one} and {})", self.condition(depth - 1)),
                3..=5 => format!("({one} or {})", self.condition(depth - 1)),
                6 => format!("(not {one})"),
                _ => format!(
                    "({} if {one} else {})",
                    self.condition(depth - 1),
                    self.condition(depth - 1)
                ),
            };
        }
        self.predicate()
    }

    fn predicate(&mut self) -> String {
        let field = self.field();
        match self.random.below(31) {
            0..=4 => format!("{field} == {}", self.value()),
            5 => format!("{} == {field}", self.value()),
            6..=7 => format!("{field} != {}", self.value()),
            8..=9 => format!("{field} in {}", self.random.pick(CONTAINERS)),
            10 => format!("{field} not in {}", self.random.pick(CONTAINERS)),
            11..=12 => {
                let method = self.random.pick(&["startswith", "endswith"]);
                let affix = match self.random.below(4) {
                    0 => self
                        .random
                        .pick(&["TUPLE", "EMPTY", "('x', 'ro')", "MIXED", "NAMES"])
                        .to_owned(),
                    _ => self.text(),
                };
                format!("{field}.{method}({affix})")
            }
            13..=14 => format!("{} in {field}", self.text()),
            15 => format!("{} not in {field}", self.text()),
            16..=17 => {
                let op = self.random.pick(&["<", "<=", ">", ">="]);
                format!("{field} {op} {}", self.value())
            }
            18 => format!("{} < {field} <= {}", self.value(), self.value()),
            19 => format!("{field} is {}None", self.random.pick(&["", "not "])),
            20 => format!("in_network({field}, {})", self.random.pick(NETWORKS)),
            21 => self.quantified(),
            22 => self
                .random
                .pick(&[
                    "is_root(rec)",
                    "is_named(rec, 'root')",
                    "tried(rec)",
                    "tried(rec, 'b')",
                    "tried(rec, key='n')",
                    "tried(rec['d'], 'k')",
                    "recursive(rec, 3)",
                    "Match.known(rec)",
                    "Match.small(rec)",
                    "is_root(e)",
                    "(lambda r: r['a'] == 'x')(rec)",
                ])
                .to_owned(),
            23 => format!(
                "isinstance({field}, {})",
                self.random.pick(&["str", "(int, float)", "dict", "list"])
            ),
            24 => format!("bool({field})"),
            25 => format!(
                "'{}' in {}",
                self.random.pick(&["a", "k", "absent", "x"]),
                self.random.pick(&["rec", "e", "rec['d']", "rec.get('d', {})"])
            ),
            26 => format!("(v := {field}) == {}", self.value()),
            27 => format!(
                "len({field}) {} {}",
                self.random.pick(&["==", ">", "<"]),
                self.random.pick(&["0", "1", "4"])
            ),
            28..=29 => self.pattern(&field),
            _ => field,
        }
    }

    fn pattern(&mut self, field: &str) -> String {
        let patterns = [
            "'x'",
            "'^ro+t'",
            "'(?i)ROOT'",
            "r'root/\\w+$'",
            "'x|y'",
            "'[xy]'",
            "'x?'",
            "'É'",
            "'(root|x)y?'",
            "''",
            "'(?i)strasse'",
            "r'\\d+\\.'",
        ];
        let pattern = self.random.pick(&patterns);
        match self.random.below(6) {
            0 => format!(
                "fnmatch({field}, {})",
                self.random
                    .pick(&["'root*'", "'*o*'", "'?'", "'x'", "'[!x]*'", "'*/ad*n'"])
            ),
            1 => format!(
                "COMPILED.{}({field})",
                self.random.pick(&["search", "match", "fullmatch"])
            ),
            2 => format!("re.search({pattern}, {field}, re.I)"),
            3 => format!("re.match({pattern}, {field}) is None"),
            _ => format!(
                "re.{}({pattern}, {field})",
                self.random.pick(&["search", "match", "fullmatch"])
            ),
        }
    }

    fn quantified(&mut self) -> String {
        let field = self.field();
        let kind = self.random.pick(&["any", "all"]);
        let over = self.random.pick(&[
            "NAMES",
            "SET",
            "TUPLE",
            "TABLE",
            "EMPTY",
            "PAIRS",
            "('ro', 'x')",
            "rec['l']",
            "rec.get('l') or []",
            "rec['d']['e']",
        ]);
        let test = match self.random.below(6) {
            0..=1 => format!("{field}.startswith(i)"),
            2..=3 => format!("i in {field}"),
            4 => format!("{field} == i"),
            _ => format!("{field}.lower() != i"),
        };
        let condition = match self.random.below(6) {
            0 => " if i != 'x'",
            1 => " if rec.get('b')",
            _ => "",
        };
        match self.random.below(10) {
            0 => format!("{kind}([{test} for i in {over}{condition}])"),
            1 => format!("{kind}({test} for i, j in PAIRS)"),
            _ => format!("{kind}({test} for i in {over}{condition})"),
        }
    }
}
