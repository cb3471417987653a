//! What a project's alerts are presented with: publishers of the program and of the user, templates, redaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_config::{Place, Problem, Settings};
use streamalert_dispatcher::{
    LinkTemplates, NoUserPublishers, OutputRules, Publishers, Redaction, RedactionSettings, Shelf, Templates,
    UserPublishers, builtin_publishers,
};
use streamalert_python::LoadReport;
use streamalert_runtime::Runtime;
use streamalert_types::{Alert, Clock};
use streamalert_value::Value;

use crate::project::Project;

/// What of it is in files and settings.
#[derive(Default)]
pub(crate) struct Presentation {
    pub(crate) templates: Arc<Shelf<Templates>>,
    pub(crate) rules: Arc<Shelf<OutputRules>>,
    /// What is wrong with them.
    pub(crate) problems: Vec<Problem>,
}

impl Presentation {
    /// Of a project whose publishers are in these folders.
    pub(crate) fn load(settings: &Settings, dirs: &[PathBuf]) -> Self {
        let (templates, mut problems) = templates(dirs);
        let rules = output_rules(settings).unwrap_or_else(|problem| {
            problems.push(problem);
            OutputRules::default()
        });
        Self {
            templates: Arc::new(Shelf::of(templates)),
            rules: Arc::new(Shelf::of(rules)),
            problems,
        }
    }
}

/// What settings say of publishers of outputs.
///
/// # Errors
/// What `[redact]` has that is none.
pub(crate) fn output_rules(settings: &Settings) -> Result<OutputRules, Problem> {
    let wanted = RedactionSettings {
        keys: settings.redact.keys.clone(),
        values: settings.redact.values.clone(),
        classes: settings.redact.classes.clone(),
        outputs: settings.redact.outputs.clone(),
    };
    let redaction = Redaction::new(&wanted).map_err(|error| {
        let place = settings.place_of(&["redact", error.list]);
        let key = format!("redact.{}", error.list);
        place.error(key, error.message, "write it as docs/PUBLISHERS.md says")
    })?;
    let of_outputs = settings.dispatcher.output.iter().filter_map(|(name, own)| {
        let names = own.publishers.clone();
        Some((name.parse().ok()?, names)).filter(|(_, names)| !names.is_empty())
    });
    Ok(OutputRules {
        redaction,
        by_output: of_outputs.collect(),
    })
}

/// Files of templates that are read at most.
const TEMPLATES_MAX: usize = 10_000;

/// Bytes of a file that is read at all.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The templates in folders of publishers, and what is wrong with them.
pub(crate) fn templates(dirs: &[PathBuf]) -> (Templates, Vec<Problem>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for dir in dirs {
        for path in template_files(dir) {
            let shown = path.strip_prefix("./").unwrap_or(&path).display().to_string();
            let is_large = path
                .metadata()
                .is_ok_and(|metadata| metadata.len() > FILE_BYTES_MAX);
            let text = if is_large {
                Err(format!("more than {FILE_BYTES_MAX} bytes"))
            } else {
                std::fs::read_to_string(&path).map_err(|error| error.to_string())
            };
            match text {
                Ok(text) => {
                    let below = path.strip_prefix(dir).unwrap_or(&path);
                    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                    files.push((parts.join("/"), shown, text));
                }
                Err(message) => problems.push(Place::of_file(shown).error("", message, "")),
            }
        }
    }
    let (templates, refused) = Templates::compile(files);
    problems.extend(refused.into_iter().map(|problem| {
        let mut place = Place::of_file(problem.file);
        place.line = problem.line;
        place.column = problem.column;
        place.error("", problem.message, "")
    }));
    (templates, problems)
}

/// The templates below a folder, sorted.
fn template_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // Links to folders are not followed, as they may lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.extend(Some(path).filter(|_| !is_hidden));
            } else if !is_hidden && found.len() < TEMPLATES_MAX && Templates::name_of(&path).is_some() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every publisher that rules and settings may name.
pub(crate) fn known(project: &Project, report: Option<&LoadReport>, templates: &Templates) -> Vec<String> {
    let mut names: Vec<String> = builtin_publishers().map(str::to_owned).collect();
    names.extend(templates.names());
    match report {
        Some(report) if report.python_version != "none" => names.extend(report.publishers.iter().cloned()),
        // Where no Python has registered them, those that would be.
        _ => names.extend(crate::commands::rules::registered_publishers(project).unwrap_or_default()),
    }
    names
}

/// Everything that makes publications of a project's alerts.
pub(crate) fn publishers(project: &Project, runtime: Option<Runtime>, clock: Arc<dyn Clock>) -> Publishers {
    let settings = &project.settings;
    Publishers {
        user: match runtime {
            Some(runtime) => Arc::new(Users(runtime)),
            None => Arc::new(NoUserPublishers),
        },
        rules: Arc::clone(&project.presentation.rules),
        templates: Arc::clone(&project.presentation.templates),
        links: Arc::new(links(settings)),
        clock,
    }
}

/// Where alerts and traces can be looked at.
pub(crate) fn links(settings: &Settings) -> LinkTemplates {
    LinkTemplates {
        alert: settings.dispatcher.alert_url.clone(),
        trace: settings.dispatcher.trace_url.clone(),
    }
}

/// The publishers of the user's Python files.
struct Users(Runtime);

#[async_trait]
impl UserPublishers for Users {
    fn has(&self, name: &str) -> bool {
        self.0.has_publisher(name)
    }

    async fn run(&self, alert: &Alert, names: &[String], made: Option<&Value>) -> Result<Value, String> {
        let publication = self.0.publish_by(alert, names, made).await;
        let publication = publication.map_err(|error| error.to_string())?;
        match publication.fallback {
            // The dispatcher falls back in the same way, and says so in the publication and the log.
            Some(reason) => Err(reason),
            None => Ok(publication.value),
        }
    }
}
