mod compare;
mod flow;
mod record;
mod state;

use std::collections::BTreeMap;

use ruff_python_ast::Stmt;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_parser::{Parsed, parse_unchecked_source};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::constant::quoted;
use crate::known::did_you_mean;
use crate::module::Module;
use crate::rule::Rule;
use crate::source::{Sink, Source};
use crate::{CHECKS, Code, Finding, Known, SourceFile, depth, options};

/// A parser that lost its way complains of everything that follows; the first complaints are what counts.
const SYNTAX_ERRORS_MAX: usize = 3;

/// What is wrong with the files, in their order, by line. The files are those of one project: two rules of one name
/// are found across them.
#[must_use]
pub fn lint(files: &[SourceFile], known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let mut found = one(file, known, &mut names);
        found.sort_by_key(|one| (one.line, one.column, one.code));
        // Two visits may see the same thing; it is told once.
        found.dedup();
        findings.extend(found);
    }
    findings
}

/// What is wrong with one file. `names` has the rules of the files before it, and where they are.
fn one(file: &SourceFile, known: &Known, names: &mut BTreeMap<String, String>) -> Vec<Finding> {
    let mut source = Source::new(file);
    if let Some(reason) = depth::refusal(&file.text) {
        let mut sink = sink_of(&source);
        let start = TextRange::empty(TextSize::new(0));
        sink.add(start, Code::TooDeep, reason, "split it");
        return sink.findings;
    }
    let parsed = parse_unchecked_source(&file.text, ruff_python_ast::PySourceType::Python);
    let unknown = source.read_comments(&parsed);
    let mut sink = sink_of(&source);
    for (range, word) in unknown {
        let message = format!("there is no check {}", quoted(&word));
        let names = CHECKS.iter().flat_map(|check| [check.id, check.name]);
        let fix = did_you_mean(&word, names).unwrap_or_else(|| "docs/LINT.md lists them".to_owned());
        sink.add(range, Code::UnknownSuppression, message, fix);
    }
    if !parsed.has_valid_syntax() {
        syntax(&mut sink, &parsed);
        return sink.findings;
    }
    let body = &parsed.syntax().body;
    let module = Module::read(body);
    let rules = Rule::of_module(&module);
    compare::check(&mut sink, body, &module);
    state::check_module(&mut sink, body, &module);
    flow::check_module(&mut sink, body);
    for rule in &rules {
        sink.rule = Some(rule.name().to_owned());
        duplicate(&mut sink, rule, names);
        options::check(&mut sink, rule, &module, known);
        head(&mut sink, rule, known);
        record::check(&mut sink, rule, &module, known);
        flow::check_rule(&mut sink, rule);
    }
    name_rules(&mut sink.findings, &source, &rules);
    sink.findings
}

fn sink_of<'a>(source: &'a Source<'a>) -> Sink<'a> {
    Sink {
        source,
        rule: None,
        findings: Vec::new(),
    }
}

fn syntax(sink: &mut Sink<'_>, parsed: &Parsed<ruff_python_ast::ModModule>) {
    for error in parsed.errors().iter().take(SYNTAX_ERRORS_MAX) {
        let message = error.error.to_string();
        let mut letters = message.chars();
        let message = letters
            .next()
            .into_iter()
            .flat_map(char::to_lowercase)
            .chain(letters)
            .collect::<String>();
        sink.add(error.location, Code::SyntaxError, message, "");
    }
}

fn duplicate(sink: &mut Sink<'_>, rule: &Rule<'_>, names: &mut BTreeMap<String, String>) {
    let name = rule.function.name.range();
    let (line, _) = sink.source.place(name.start());
    let here = format!("{}:{line}", sink.source.path);
    match names.get(rule.name()) {
        Some(first) => {
            let message = format!("the rule {} is already defined in {first}", rule.name());
            sink.add(name, Code::DuplicateRule, message, "give it another name");
        }
        None => _ = names.insert(rule.name().to_owned(), here),
    }
}

/// Docstring and test event.
fn head(sink: &mut Sink<'_>, rule: &Rule<'_>, known: &Known) {
    let name = rule.function.name.range();
    if !options::has_docstring(rule.function) {
        let message = format!(
            "{} has no docstring, so its alerts have no description",
            rule.name()
        );
        sink.add(
            name,
            Code::NoDocstring,
            message,
            "say in it what happened and what to do",
        );
    }
    if known
        .tested
        .as_ref()
        .is_some_and(|tested| !tested.contains(rule.name()))
    {
        let message = format!("no test event has {} in its trigger_rules", rule.name());
        let fix = "add one to a JSON file beside the rule; streamalert rules new shows the form";
        sink.add(name, Code::NoTestEvent, message, fix);
    }
}

/// Says of findings that lie within a rule which one it is.
fn name_rules(findings: &mut [Finding], source: &Source<'_>, rules: &[Rule<'_>]) {
    for rule in rules {
        let range = rule.function.range();
        let lines = source.place(range.start()).0..=source.place(range.end()).0;
        for finding in findings
            .iter_mut()
            .filter(|finding| lines.contains(&finding.line))
        {
            finding.rule = Some(rule.name().to_owned());
        }
    }
}

/// Every list of statements below some statements, the list itself included.
pub(super) fn bodies<'a>(body: &'a [Stmt], each: &mut dyn FnMut(&'a [Stmt])) {
    struct Bodies<'e, 'a>(&'e mut dyn FnMut(&'a [Stmt]));
    impl<'a> Visitor<'a> for Bodies<'_, 'a> {
        fn visit_body(&mut self, body: &'a [Stmt]) {
            (self.0)(body);
            for statement in body {
                walk_stmt(self, statement);
            }
        }
    }
    Bodies(each).visit_body(body);
}
