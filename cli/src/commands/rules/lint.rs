use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use streamalert_lint::{Finding, Known, Severity, Shape, SourceFile, datatypes, lint, publishers};
use streamalert_value::Value;

use crate::args::{Global, Lint};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::{EventFile, Helpers, Targets};
use crate::{paint, python};

/// Longer files are no Python that anybody wrote; the check itself refuses far shorter ones.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads the project's rules and matchers and tells what is wrong with them. Needs no Python.
pub(crate) fn run(global: &Global, args: &Lint) -> Result<(), Failure> {
    let project = Project::load(global)?;
    let files = sources(&project, &args.what)?;
    let known = known(&project)?;
    let findings = chosen(lint(&files, &known), &files, &args.what)?;
    for finding in &findings {
        if args.json {
            println!("{}", row(finding).to_json());
        } else {
            tell(finding);
        }
    }
    let errors = findings
        .iter()
        .filter(|one| one.severity() == Severity::Error)
        .count();
    if !args.json {
        let plural = |count| if count == 1 { "" } else { "s" };
        let warnings = findings.len() - errors;
        println!(
            "{} file{}, {errors} error{}, {warnings} warning{}",
            files.len(),
            plural(files.len()),
            plural(errors),
            plural(warnings)
        );
    }
    if errors > 0 { Err(Failure::Told) } else { Ok(()) }
}

/// The Python files of rules and matchers, and files that were named.
fn sources(project: &Project, asked: &[String]) -> Result<Vec<SourceFile>, Failure> {
    let dirs = project.python_dirs();
    let mut paths = Vec::new();
    for folder in dirs.rules.iter().chain(&dirs.matchers) {
        paths.extend(python_files(folder));
    }
    for word in asked {
        let path = Path::new(word);
        if path.is_dir() {
            paths.extend(python_files(path));
        } else if path.is_file() {
            paths.push(path.to_owned());
        } else if word.contains('/') || path.extension().is_some() {
            return Err(Failure::Other(format!("no such file or folder: {word}")));
        }
    }
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    paths.iter().map(|path| read(path)).collect()
}

/// The Python files below a folder, those of one folder before those of the folders in it.
pub(super) fn python_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let mut folders = Vec::new();
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let is_hidden = name.to_string_lossy().starts_with(['.', '_']);
            // Links to folders are not followed, as they may lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.extend(Some(path).filter(|_| !is_hidden));
            } else if path.extension().is_some_and(|extension| extension == "py") && path.is_file() {
                found.push(path);
            }
        }
        open.extend(folders.into_iter().rev());
    }
    found
}

/// A file's text. What is no UTF-8 is replaced: the parser complains of it where it matters.
pub(crate) fn read(path: &Path) -> Result<SourceFile, Failure> {
    let cannot = |cause: String| Failure::Other(format!("cannot read {}: {cause}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|error| cannot(error.to_string()))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(cannot(format!("{size} bytes are more than {FILE_BYTES_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    let shown = path.strip_prefix("./").unwrap_or(path);
    Ok(SourceFile {
        path: shown.display().to_string(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// What the project says of log types, outputs, publishers and tests.
pub(crate) fn known(project: &Project) -> Result<Known, Failure> {
    let logs = project.definitions.iter();
    let logs = logs.map(|(name, (definition, _))| (name.clone(), Shape::of_definition(definition)));
    let definitions = project.definitions.values();
    let datatypes = definitions.flat_map(|(definition, _)| datatypes(definition));
    let outputs = project
        .settings
        .outputs
        .keys()
        .cloned()
        .chain(project.conf.outputs.names());
    let templates = project.presentation.templates.get();
    let publishers = crate::publishers::known(project, None, &templates);
    Ok(Known {
        logs: logs.collect(),
        datatypes: Some(datatypes.collect()),
        outputs: Some(outputs.map(|name| name.as_str().to_owned()).collect()),
        publishers: Some(publishers.into_iter().collect()),
        tested: Some(tested(project)),
    })
}

/// The publishers that the project's Python files register, as far as their text tells.
pub(crate) fn registered_publishers(project: &Project) -> Result<BTreeSet<String>, Failure> {
    let root = python::repo_root(&project.python_dirs().rules)?;
    let mut registered = BTreeSet::new();
    for folder in project.python_dirs().publishers {
        for file in python_files(&folder) {
            let module = module_name(&root, &file.canonicalize()?);
            let names = publishers(&read(&file)?.text).into_iter();
            registered.extend(names.map(|name| format!("{module}.{name}")));
        }
    }
    Ok(registered)
}

/// `publishers/mail.py` as `publishers.mail`.
fn module_name(root: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let parts: Vec<String> = relative
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join(".").trim_end_matches(".__init__").to_owned()
}

/// Rules that some test event must trigger.
fn tested(project: &Project) -> BTreeSet<String> {
    let folders = crate::commands::test::folders(project);
    let Ok(targets) = Targets::of(&[], &folders) else {
        return BTreeSet::new();
    };
    let helpers = Helpers::at(0);
    let files = targets
        .files
        .into_iter()
        .map(|file| EventFile::read(&file, &helpers));
    let events = files.filter_map(|file| file.events.ok()).flatten();
    let contents = events.filter_map(|event| event.content.ok());
    contents.flat_map(|content| content.trigger_rules).collect()
}

/// The findings that were asked for: of these files, folders and rules; all, where none were named.
fn chosen(findings: Vec<Finding>, files: &[SourceFile], asked: &[String]) -> Result<Vec<Finding>, Failure> {
    if asked.is_empty() {
        return Ok(findings);
    }
    let mut rules = BTreeSet::new();
    let mut paths = Vec::new();
    for word in asked {
        match Path::new(word).canonicalize() {
            Ok(path) => paths.push(path),
            Err(_) => _ = rules.insert(word.as_str()),
        }
    }
    for name in &rules {
        let defined = format!("def {name}(");
        if !files.iter().any(|file| file.text.contains(&defined)) {
            return Err(Failure::Other(format!(
                "neither a file, nor a folder, nor a rule: {name:?}"
            )));
        }
    }
    let asked = |finding: &Finding| {
        let of_rule = finding.rule.as_deref().is_some_and(|rule| rules.contains(rule));
        let file = Path::new(&finding.file).canonicalize().unwrap_or_default();
        of_rule || paths.iter().any(|path| file.starts_with(path))
    };
    Ok(findings.into_iter().filter(asked).collect())
}

fn tell(finding: &Finding) {
    let check = finding.code.check();
    let (style, word) = match check.severity {
        Severity::Error => (paint::BAD, "error"),
        Severity::Warning => (paint::ODD, "warning"),
    };
    let place = format!("{}:{}:{}", finding.file, finding.line, finding.column);
    let code = paint::in_style(paint::DIM, format!("[{} {}]", check.id, check.name));
    let fix = if finding.fix.is_empty() {
        String::new()
    } else {
        format!("; {}", finding.fix)
    };
    anstream::println!(
        "{}: {} {}{fix} {code}",
        paint::in_style(paint::HEAD, place),
        paint::in_style(style, format!("{word}:")),
        finding.message
    );
}

fn row(finding: &Finding) -> Value {
    let check = finding.code.check();
    object([
        ("severity", text(check.severity.name())),
        ("file", text(&finding.file)),
        ("line", integer(finding.line as u64)),
        ("column", integer(finding.column as u64)),
        ("code", text(check.id)),
        ("name", text(check.name)),
        ("rule", finding.rule.as_deref().map_or(Value::Null, text)),
        ("message", text(&finding.message)),
        ("fix", text(&finding.fix)),
    ])
}
