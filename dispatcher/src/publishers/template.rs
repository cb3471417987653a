//! Templates: publishers without code. `NAME.j2` writes the text of a message, `NAME.html.j2` its HTML, `NAME.json.j2`
//! the whole publication. Attackers write logs: what comes out of them is escaped for where it goes, unless the
//! template says otherwise.

mod check;
mod escape;
mod filters;
mod inputs;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use streamalert_types::Timestamp;
use streamalert_value::Value;

use super::Whole;
use target::Target;

/// Work and memory of one rendering; a template that writes 100 lines takes about a thousandth.
const FUEL: u64 = 400_000;

/// Bytes that one rendering may write.
const OUTPUT_BYTES_MAX: usize = 512 << 10;

/// Bytes of one template.
const TEMPLATE_BYTES_MAX: usize = 256 << 10;

/// What the name of a template's file ends with.
const EXTENSION: &str = ".j2";

/// What a template writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Html,
    Json,
}

/// What is wrong with a template's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 when it is about the whole file.
    pub line: usize,
    /// The column, from 1; 0 when it is not known.
    pub column: usize,
    /// One line.
    pub message: String,
}

/// Templates by name.
#[derive(Default)]
pub struct Templates {
    environment: Environment<'static>,
    by_name: BTreeMap<String, Template>,
}

struct Template {
    file: String,
    form: Form,
}

impl Templates {
    /// Compiles files, given as the path below the folder of publishers with `/`, the path as it is shown to people,
    /// and the text. Those that do not compile are left out.
    #[must_use]
    pub fn compile(files: Vec<(String, String, String)>) -> (Self, Vec<TemplateProblem>) {
        let mut templates = Self {
            environment: environment(),
            by_name: BTreeMap::new(),
        };
        let mut problems = Vec::new();
        for (path, file, text) in files {
            if let Err(problem) = templates.add(&path, &file, text) {
                problems.push(problem);
            }
        }
        (templates, problems)
    }

    fn add(&mut self, path: &str, file: &str, text: String) -> Result<(), TemplateProblem> {
        let problem = |message: String| TemplateProblem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message,
        };
        let (name, form) =
            name_of(path).ok_or_else(|| problem(format!("its name does not end with {EXTENSION}")))?;
        if let Some(known) = self.by_name.get(name) {
            return Err(problem(format!("template {name} is {} already", known.file)));
        }
        if text.len() > TEMPLATE_BYTES_MAX {
            let message = format!("{} bytes are more than {TEMPLATE_BYTES_MAX}", text.len());
            return Err(problem(message));
        }
        let added = self.environment.add_template_owned(name.to_owned(), text.clone());
        added.map_err(|error| told(file, &text, &error))?;
        let unknown = self.environment.get_template(name).ok();
        let unknown = unknown.and_then(|template| check::unknown(&self.environment, &template));
        if let Some((at, message)) = unknown {
            self.environment.remove_template(name);
            return Err(TemplateProblem {
                line: text[..at].matches('\n').count() + 1,
                column: column(&text, at),
                ..problem(message)
            });
        }
        let file = file.to_owned();
        self.by_name.insert(name.to_owned(), Template { file, form });
        Ok(())
    }

    /// The name of the template in a file at this path below a folder of publishers; `None` for other files.
    #[must_use]
    pub fn name_of(path: &Path) -> Option<String> {
        let path = path.to_str()?;
        name_of(path).map(|(name, _)| name.to_owned())
    }

    /// As publishers are named: `template:NAME`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.by_name
            .keys()
            .map(|name| format!("{}{name}", super::TEMPLATE))
    }

    /// What a template makes of an alert and of what was made so far.
    pub(super) fn render(
        &self,
        name: &str,
        whole: &Whole<'_>,
        made: Value,
        now: Timestamp,
    ) -> Result<Value, String> {
        let known = self.by_name.get(name);
        let template = known.ok_or_else(|| format!("there is no template {name}"))?;
        let target = Target::of(whole.output.service());
        let markup = match template.form {
            Form::Html => escape::Markup::Html,
            Form::Text | Form::Json => target.markup,
        };
        let how = escape::How {
            markup,
            is_json: template.form == Form::Json,
        };
        let inputs = inputs::inputs(whole, made.clone(), now, how);
        let text = self.written(name, template, inputs)?;
        match template.form {
            Form::Json => read(&template.file, &text),
            form => Ok(Value::Map(target.with(made, text.trim(), form == Form::Html))),
        }
    }

    fn written(&self, name: &str, template: &Template, inputs: minijinja::Value) -> Result<String, String> {
        let cannot = |source: &str, error: &minijinja::Error| told(&template.file, source, error).to_string();
        let compiled = self
            .environment
            .get_template(name)
            .map_err(|error| cannot("", &error))?;
        let mut bounded = Bounded(Vec::new());
        if let Err(error) = compiled.render_captured_to(inputs, &mut bounded) {
            return Err(cannot(compiled.source(), &error));
        }
        String::from_utf8(bounded.0).map_err(|error| error.to_string())
    }
}

fn name_of(path: &str) -> Option<(&str, Form)> {
    let stem = path.strip_suffix(EXTENSION)?;
    let of = |suffix| stem.strip_suffix(suffix).filter(|name| !name.is_empty());
    let (name, form) = of(".json")
        .map(|name| (name, Form::Json))
        .or_else(|| of(".html").map(|name| (name, Form::Html)))
        .unwrap_or((of(".txt").unwrap_or(stem), Form::Text));
    (!name.is_empty() && !name.ends_with('/')).then_some((name, form))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    // errors know their place
    environment.set_debug(true);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(escape::write);
    filters::add(&mut environment);
    environment
}

/// The publication that a template wrote.
fn read(file: &str, text: &str) -> Result<Value, String> {
    let read: Result<serde_json::Value, _> = serde_json::from_str(text);
    if let Err(error) = read {
        let line = text
            .lines()
            .nth(error.line().saturating_sub(1))
            .unwrap_or_default();
        let shown: String = line.trim().chars().take(60).collect();
        return Err(format!(
            "{file}: what it writes is not JSON: {error} of the output, which is `{shown}`; between quotes write {{{{ x }}}}, elsewhere {{{{ x|json }}}}"
        ));
    }
    match Value::parse_json(text.as_bytes()) {
        Ok(made @ Value::Map(_)) => Ok(made),
        Ok(other) => Err(format!("{file}: writes {}, not an object", other.type_name())),
        Err(error) => Err(format!("{file}: what it writes is not JSON: {error}")),
    }
}

/// What is wrong, with its place in the file.
fn told(file: &str, source: &str, error: &minijinja::Error) -> TemplateProblem {
    let range: Option<Range<usize>> = error.range().filter(|range| range.start < range.end);
    let expression = range.clone().and_then(|range| source.get(range));
    let column = range.map_or(0, |range| column(source, range.start));
    let of = |what: &str| match expression {
        Some(expression) => format!("{what}: {}", expression.lines().next().unwrap_or_default()),
        None => what.to_owned(),
    };
    let message = match error.kind() {
        ErrorKind::UndefinedError => {
            of("not there, write `x|default('…')` or `{% if x %}` for what may be missing")
        }
        ErrorKind::OutOfFuel => of("takes too long or makes too much"),
        ErrorKind::WriteFailure => format!("writes more than {OUTPUT_BYTES_MAX} bytes"),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => of(&kind.to_string()),
        },
    };
    TemplateProblem {
        file: file.to_owned(),
        line: error.line().unwrap_or(0),
        column,
        message: crate::outputs::json::one_line(&message),
    }
}

fn column(source: &str, at: usize) -> usize {
    let before = source.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.chars().count() + 1
}

impl std::fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        for place in [self.line, self.column]
            .into_iter()
            .take_while(|place| *place > 0)
        {
            write!(f, ":{place}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Refuses what is over [`OUTPUT_BYTES_MAX`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
