use std::path::{Path, PathBuf};

use streamalert_config::nearest;
use streamalert_types::OutputName;

use super::lint::{python_files, read};
use crate::args::{self, Global};
use crate::commands::test;
use crate::failure::Failure;
use crate::project::Project;
use crate::scaffold::{Bystanders, Examples, NewRule, Reference, events_text, rule_text};
use crate::{paint, python};

/// Words of Python that no function can be called.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Writes a rule and its test events, runs them, and says what to do next.
pub(crate) async fn run(global: &Global, args: &args::NewRule) -> Result<(), Failure> {
    let project = Project::load(global)?;
    name(&project, &args.name)?;
    log(&project, &args.log)?;
    let outputs = outputs(&project, &args.output)?;
    let matchers = matchers(&project, &args.matcher)?;
    let (rule_file, event_file) = files(&project, args)?;
    let example = Examples::new(&project)?.of(&args.log, &word(&args.name)).await?;
    let rule = NewRule {
        name: &args.name,
        log: &args.log,
        outputs: &outputs,
        matchers: &matchers,
    };
    // Without Python, the test says so; the files are good all the same.
    let others = Bystanders::of(&project, &example).await.unwrap_or_default();
    write(&rule_file, &rule_text(&rule, &example))?;
    write(&event_file, &events_text(&rule, &example, &others))?;
    for file in [&rule_file, &event_file] {
        anstream::println!("{} {}", paint::in_style(paint::GOOD, "wrote"), file.display());
    }
    if outputs.is_empty() {
        let word = paint::in_style(paint::ODD, "note:");
        anstream::println!("{word} no output is configured: add one to conf/outputs.json and to the rule");
    }
    let shown = event_file.display().to_string();
    println!("\nnext:");
    println!("  edit {}", rule_file.display());
    println!("  streamalert test {shown} --watch");
    println!("  streamalert rules lint {}\n", args.name);
    if args.no_test {
        return Ok(());
    }
    let test = args::Test {
        what: vec![shown],
        ..args::Test::default()
    };
    Box::pin(test::run(global, &test)).await
}

/// The value that the new rule looks for: `no_mfa` gives `NoMfaExample`.
fn word(name: &str) -> String {
    let parts = name.split('_').filter(|part| !part.is_empty());
    let capitals = parts.map(|part| {
        let mut letters = part.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    capitals.chain(["Example".to_owned()]).collect()
}

/// The name is an identifier, and no function of the rules has it.
fn name(project: &Project, name: &str) -> Result<(), Failure> {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_inner = |c: char| is_start(c) || c.is_ascii_digit();
    if !name.starts_with(is_start) || !name.chars().all(is_inner) || KEYWORDS.contains(&name) {
        let better: String = name.chars().map(|c| if is_inner(c) { c } else { '_' }).collect();
        let hint = if better.starts_with(is_start) && better != name {
            format!("; {better:?} would be one")
        } else {
            String::new()
        };
        return Err(Failure::Other(format!(
            "not a name for a function in Python: {name:?}{hint}"
        )));
    }
    let defined = format!("def {name}(");
    for folder in project.python_dirs().rules {
        for file in python_files(&folder) {
            let text = read(&file)?.text;
            if let Some(line) = text.lines().position(|line| line.starts_with(&defined)) {
                let place = format!("{}:{}", file.display(), line + 1);
                return Err(Failure::Other(format!("{name} is already defined in {place}")));
            }
        }
    }
    Ok(())
}

fn log(project: &Project, log: &str) -> Result<(), Failure> {
    if project.definitions.contains_key(log) {
        return Ok(());
    }
    let known: Vec<&str> = project.definitions.keys().map(String::as_str).collect();
    let family: Vec<&str> = known
        .iter()
        .copied()
        .filter(|name| name.split(':').next() == Some(log))
        .collect();
    let hint = match (nearest(log, known.iter().copied()), family.as_slice()) {
        (Some(near), _) => format!("did you mean {near:?}?"),
        (None, []) => "streamalert schema list shows them".to_owned(),
        (None, family) => format!("{log:?} has {}", family.join(", ")),
    };
    Err(Failure::Other(format!("there is no log type {log:?}; {hint}")))
}

/// The outputs asked for, or the first there is.
fn outputs(project: &Project, asked: &[String]) -> Result<Vec<String>, Failure> {
    let known: Vec<OutputName> = project
        .conf
        .outputs
        .names()
        .chain(project.settings.outputs.keys().cloned())
        .collect();
    if asked.is_empty() {
        return Ok(known
            .first()
            .map(|name| name.as_str().to_owned())
            .into_iter()
            .collect());
    }
    for output in asked {
        if !known.iter().any(|name| name.as_str() == output) {
            let hint = match nearest(output, known.iter().map(OutputName::as_str)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "add it to conf/outputs.json".to_owned(),
            };
            return Err(Failure::Other(format!("there is no output {output:?}; {hint}")));
        }
    }
    Ok(asked.to_vec())
}

/// Where the matchers are: `matchers.aws.ApiCall.succeeded` is `ApiCall.succeeded` of `matchers/aws.py`.
fn matchers(project: &Project, asked: &[String]) -> Result<Vec<Reference>, Failure> {
    let root = python::repo_root(&project.python_dirs().rules)?;
    let found = asked.iter().map(|matcher| {
        let parts: Vec<&str> = matcher.split('.').collect();
        for split in (1..parts.len()).rev() {
            let (module, name) = parts.split_at(split);
            let file = root.join(module.join("/")).with_extension("py");
            if !file.is_file() {
                continue;
            }
            let text = read(&file)?.text;
            let is_defined = name.iter().all(|part| {
                let class = [format!("class {part}:"), format!("class {part}("), format!("def {part}(")];
                class.iter().any(|head| text.contains(head)) || text.contains(&format!("{part} = "))
            });
            if !is_defined {
                let name = name.join(".");
                return Err(Failure::Other(format!("{} has no {name}", file.display())));
            }
            return Ok(Reference {
                module: module.join("."),
                name: name.join("."),
            });
        }
        Err(Failure::Other(format!(
            "no such matcher: {matcher:?}; name it module.function or module.Class.method, such as matchers.aws.prod"
        )))
    });
    found.collect()
}

/// The two files, which must not exist yet.
fn files(project: &Project, args: &args::NewRule) -> Result<(PathBuf, PathBuf), Failure> {
    let dirs = project.python_dirs().rules;
    let first = dirs.first().cloned().unwrap_or_else(|| PathBuf::from("rules"));
    let family = args.log.split(':').next().unwrap_or_default();
    // A folder beside a module of its name is hidden by it: Python finds nothing in the folder.
    let is_hidden = |dir: &Path| dir.with_extension("py").exists();
    let dir = args.dir.clone().unwrap_or_else(|| {
        let own = first.join(family);
        if is_hidden(&own) { first } else { own }
    });
    if is_hidden(&dir) {
        return Err(Failure::Other(format!(
            "python would not find a rule in {}: {} has its name",
            dir.display(),
            dir.with_extension("py").display()
        )));
    }
    let inside = std::path::absolute(&dir)?;
    let mut is_inside = false;
    for known in &dirs {
        is_inside |= inside.starts_with(std::path::absolute(known)?);
    }
    if !is_inside {
        let known: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let known = known.join(", ");
        return Err(Failure::Other(format!(
            "{} is in no folder of rules, so nothing would load it; there are {known}",
            dir.display()
        )));
    }
    let of = |extension: &str| dir.join(&args.name).with_extension(extension);
    for file in [of("py"), of("json")] {
        if file.exists() {
            return Err(Failure::Other(format!(
                "{} exists, and is not overwritten",
                file.display()
            )));
        }
    }
    Ok((of("py"), of("json")))
}

/// Writes a file that does not exist, and the folders above it.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let cannot = |error| Failure::while_doing(&format!("cannot write {}", file.display()), error);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut created = std::fs::File::create_new(file).map_err(cannot)?;
    created.write_all(text.as_bytes()).map_err(cannot)
}
