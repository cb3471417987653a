//! What is wrong with the decorator of a rule.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use crate::constant::{Constant, members, quoted};
use crate::known::did_you_mean;
use crate::module::Module;
use crate::rule::{Rule, resolved};
use crate::source::Sink;
use crate::{Code, Known};

/// What the decorator knows.
const OPTIONS: [&str; 11] = [
    "logs",
    "datatypes",
    "matchers",
    "req_subkeys",
    "outputs",
    "dynamic_outputs",
    "publishers",
    "merge_by_keys",
    "merge_window_mins",
    "merge_send_first",
    "context",
];

/// Publishers that come with the package.
const OWN_PUBLISHERS: [&str; 2] = [
    "streamalert.shared.publisher.DefaultPublisher",
    "streamalert.shared.publisher.BlankPublisher",
];

/// Checks the decorator of a rule and the head of its function.
pub(crate) fn check(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    parameters(sink, rule);
    let Some(arguments) = rule.arguments else {
        let fix = "write @rule(logs=['…'], outputs=['…'])";
        sink.add(
            rule.decorator.expression.range(),
            Code::DecoratorNotCalled,
            "the rule decorator is not called",
            fix,
        );
        return;
    };
    for argument in &arguments.args {
        let message = "the rule decorator takes keywords only";
        sink.add(argument.range(), Code::OptionForm, message, "write logs=[…]");
    }
    for keyword in &arguments.keywords {
        let Some(name) = keyword
            .arg
            .as_ref()
            .filter(|name| !OPTIONS.contains(&name.as_str()))
        else {
            continue;
        };
        let message = format!("the rule decorator knows no {}, and ignores it", quoted(name));
        let fix = did_you_mean(name, OPTIONS).unwrap_or_else(|| format!("it knows {}", OPTIONS.join(", ")));
        sink.add(keyword.range(), Code::UnknownOption, message, fix);
    }
    if !rule.has_unknown_options() {
        presence(sink, rule, module);
    }
    forms(sink, rule, module);
    logs(sink, rule, module, known);
    datatypes(sink, rule, module, known);
    matchers(sink, rule, module);
    outputs(sink, rule, module, known);
    publishers(sink, rule, module, known);
}

fn parameters(sink: &mut Sink<'_>, rule: &Rule<'_>) {
    let parameters = &rule.function.parameters;
    let positional = parameters.posonlyargs.iter().chain(&parameters.args);
    let needed = positional.clone().filter(|one| one.default.is_none()).count();
    let at_most = if parameters.vararg.is_some() {
        usize::MAX
    } else {
        positional.count()
    };
    let keyword_only = parameters.kwonlyargs.iter().any(|one| one.default.is_none());
    let given = if rule.has_context() { 2 } else { 1 };
    let name = &rule.function.name;
    if rule.function.is_async {
        let message = format!("{name} is async: it answers a coroutine, which is true for every record");
        sink.add(name.range(), Code::Parameters, message, "write def");
    }
    if needed <= given && given <= at_most && !keyword_only || rule.has_unknown_options() {
        return;
    }
    let (message, fix) = if given == 2 {
        (
            format!("{name} has a context, so it is called with two arguments"),
            format!("write def {name}(record, context):"),
        )
    } else if needed == 2 {
        (
            format!("{name} takes two arguments, but is called with the record alone"),
            "give the decorator context={…}, or remove the second parameter".to_owned(),
        )
    } else {
        (
            format!("{name} is called with one argument, the record"),
            format!("write def {name}(record):"),
        )
    };
    sink.add(name.range(), Code::Parameters, message, fix);
}

/// Options that must be there, or be there together.
fn presence(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>) {
    let at = rule.decorator.range();
    let is_empty = |name: &str| {
        let value = rule.option(name).map(|value| resolved(module, value));
        value.is_none_or(|value| value.is_none_literal_expr() || members(value).is_some_and(<[_]>::is_empty))
    };
    if is_empty("logs") && is_empty("datatypes") {
        let message = format!("{} applies to nothing", rule.name());
        sink.add(at, Code::NoLogs, message, "add logs=['…'] or datatypes=['…']");
    }
    if is_empty("outputs") && is_empty("dynamic_outputs") {
        let message = format!("alerts of {} go nowhere but to the history", rule.name());
        sink.add(at, Code::NoOutputs, message, "add outputs=['service:descriptor']");
    }
    let no_window = rule.option("merge_window_mins").is_none_or(|value| {
        Constant::of(resolved(module, value)).and_then(|value| value.is_truthy()) == Some(false)
    });
    let is_set = |name: &str| {
        let value = rule.option(name).map(|value| resolved(module, value));
        value.and_then(Constant::of).and_then(|value| value.is_truthy()) == Some(true)
    };
    match (is_empty("merge_by_keys"), no_window) {
        (false, true) => {
            let message = "merge_by_keys without merge_window_mins: nothing is merged";
            sink.add(at, Code::MergeHalf, message, "add merge_window_mins=5");
        }
        (true, false) => {
            let message = "merge_window_mins without merge_by_keys: nothing is merged";
            sink.add(at, Code::MergeHalf, message, "add merge_by_keys=['…']");
        }
        (true, true) if is_set("merge_send_first") => {
            let message = "merge_send_first without merge_by_keys and merge_window_mins: nothing is merged";
            let fix = "add merge_by_keys=['…'], merge_window_mins=5";
            sink.add(at, Code::MergeHalf, message, fix);
        }
        _ => {}
    }
}

/// Options whose value cannot be one.
fn forms(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>) {
    let value = |name: &str| rule.option(name).map(|value| resolved(module, value));
    let lists = [
        "logs",
        "datatypes",
        "matchers",
        "outputs",
        "dynamic_outputs",
        "merge_by_keys",
    ];
    for (name, value) in lists.into_iter().filter_map(|name| Some((name, value(name)?))) {
        match Constant::of(value) {
            Some(Constant::Text(text)) => {
                let message = format!("{name} is a text, and must be a list");
                sink.add(
                    value.range(),
                    Code::OptionForm,
                    message,
                    format!("write [{}]", quoted(text)),
                );
            }
            Some(Constant::None) | None => {}
            Some(other) => {
                let message = format!("{name} is {}, and must be a list", other.name());
                sink.add(
                    value.range(),
                    Code::OptionForm,
                    message,
                    format!("write {name}=['…']"),
                );
            }
        }
        if matches!(name, "datatypes" | "merge_by_keys" | "logs") {
            for member in members(value).into_iter().flatten() {
                if Constant::of(member).is_some_and(|one| !matches!(one, Constant::Text(_))) {
                    let message = format!("{name} is a list of texts, and this is none");
                    sink.add(member.range(), Code::OptionForm, message, "put it into quotes");
                }
            }
        }
    }
    if let Some(minutes) = value("merge_window_mins")
        && let Some(constant) = Constant::of(minutes)
        && !matches!(constant, Constant::Integer(0..) | Constant::None)
    {
        let message = format!(
            "merge_window_mins is {}, and must be a whole number",
            constant.name()
        );
        sink.add(
            minutes.range(),
            Code::OptionForm,
            message,
            "write merge_window_mins=5",
        );
    }
    if let Some(flag) = value("merge_send_first")
        && let Some(constant) = Constant::of(flag)
        && !matches!(constant, Constant::Bool(_) | Constant::None)
    {
        let message = format!(
            "merge_send_first is {}, and must be True or False",
            constant.name()
        );
        sink.add(
            flag.range(),
            Code::OptionForm,
            message,
            "write merge_send_first=True",
        );
    }
    for name in ["context", "req_subkeys"] {
        let Some(given) = value(name) else { continue };
        let constant = Constant::of(given);
        if members(given).is_some() || constant.is_some_and(|one| one != Constant::None) {
            let message = format!("{name} must be a dictionary");
            sink.add(
                given.range(),
                Code::OptionForm,
                message,
                format!("write {name}={{'…': …}}"),
            );
        }
    }
}

fn logs(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    if known.logs.is_empty() {
        return;
    }
    for (expr, log) in rule.logs(module).into_iter().flatten() {
        if !known.logs.contains_key(log) {
            let message = format!("there is no log type {}", quoted(log));
            let fix = did_you_mean(log, known.logs.keys().map(String::as_str));
            let fix = fix.unwrap_or_else(|| "streamalert schema list shows them".to_owned());
            sink.add(expr.range(), Code::UnknownLog, message, fix);
        }
    }
}

fn datatypes(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    let Some(types) = &known.datatypes else { return };
    let value = rule.option("datatypes").map(|value| resolved(module, value));
    for expr in value.and_then(members).into_iter().flatten() {
        let Expr::StringLiteral(text) = expr else { continue };
        let name = text.value.to_str();
        if !types.contains(name) {
            let message = format!("no schema normalizes anything to {}", quoted(name));
            let fix = did_you_mean(name, types.iter().map(String::as_str));
            let fix = fix.unwrap_or_else(|| "add it to the normalization of a schema".to_owned());
            sink.add(expr.range(), Code::UnknownDatatype, message, fix);
        }
    }
}

fn matchers(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>) {
    let value = rule.option("matchers").map(|value| resolved(module, value));
    for matcher in value.and_then(members).into_iter().flatten() {
        match matcher {
            Expr::StringLiteral(text) => {
                let message = format!("the matcher {} is a text", quoted(text.value.to_str()));
                sink.add(
                    matcher.range(),
                    Code::MatcherText,
                    message,
                    "import the function and give it",
                );
            }
            Expr::Call(call) if is_own_function(module, &call.func) => {
                let shown = sink.shown(&call.func);
                let message = format!("the matcher {shown} is called here, not for each record");
                sink.add(
                    matcher.range(),
                    Code::MatcherCalled,
                    message,
                    format!("write {shown}"),
                );
            }
            _ => {}
        }
    }
}

/// A call of `functools.partial`, or of anything else known to make functions, is fine.
fn is_own_function(module: &Module<'_>, callee: &Expr) -> bool {
    let full = module.full_name(callee);
    full.is_none_or(|name| !name.starts_with("functools.") && !name.starts_with("operator."))
}

fn outputs(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    let value = rule.option("outputs").map(|value| resolved(module, value));
    for output in value.and_then(members).into_iter().flatten() {
        match Constant::of(output) {
            None => {}
            Some(Constant::Text(text)) => output_name(sink, output, text, known),
            Some(other) => {
                let message = format!("an output is a text, not {}", other.name());
                sink.add(
                    output.range(),
                    Code::OutputForm,
                    message,
                    "write 'service:descriptor'",
                );
            }
        }
    }
}

fn output_name(sink: &mut Sink<'_>, at: &Expr, text: &str, known: &Known) {
    let parts = text.split_once(':');
    if !parts.is_some_and(|(service, descriptor)| !service.is_empty() && !descriptor.is_empty()) {
        let message = format!("{} is no output", quoted(text));
        sink.add(
            at.range(),
            Code::OutputForm,
            message,
            "write 'service:descriptor'",
        );
        return;
    }
    let Some(outputs) = known.outputs.as_ref().filter(|outputs| !outputs.contains(text)) else {
        return;
    };
    let message = format!("there is no output {}", quoted(text));
    let fix = did_you_mean(text, outputs.iter().map(String::as_str));
    let fix = fix.unwrap_or_else(|| "add it to conf/outputs.json".to_owned());
    sink.add(at.range(), Code::UnknownOutput, message, fix);
}

fn publishers(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    let Some(registered) = &known.publishers else {
        return;
    };
    let Some(value) = rule.option("publishers").map(|value| resolved(module, value)) else {
        return;
    };
    let mut given: Vec<&Expr> = Vec::new();
    match value {
        Expr::Dict(dict) => {
            for item in &dict.items {
                match members(&item.value) {
                    Some(list) => given.extend(list),
                    None => given.push(&item.value),
                }
            }
        }
        other => match members(other) {
            Some(list) => given.extend(list),
            None => given.push(other),
        },
    }
    for publisher in given {
        let name = match publisher {
            Expr::StringLiteral(text) => text.value.to_str().to_owned(),
            Expr::Name(_) | Expr::Attribute(_) => match module.full_name(publisher) {
                Some(name) if name.contains('.') => name,
                _ => continue,
            },
            _ => continue,
        };
        if registered.contains(&name) || OWN_PUBLISHERS.contains(&name.as_str()) {
            continue;
        }
        let message = format!("there is no publisher {}", quoted(&name));
        let all = registered.iter().map(String::as_str).chain(OWN_PUBLISHERS);
        let fix = did_you_mean(&name, all).unwrap_or_else(|| "register it with @Register".to_owned());
        sink.add(publisher.range(), Code::UnknownPublisher, message, fix);
    }
}

/// Whether the function has a docstring that says something.
pub(crate) fn has_docstring(function: &ast::StmtFunctionDef) -> bool {
    let Some(ast::Stmt::Expr(first)) = function.body.first() else {
        return false;
    };
    let text = first.value.as_string_literal_expr();
    text.is_some_and(|text| !text.value.to_str().trim().is_empty())
}
