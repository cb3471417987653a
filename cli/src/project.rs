//! What the user's folder holds: settings, configuration, schemas. Everything that a command needs to know before
//! it starts anything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use streamalert_config::{Conf, Located, Problem, PythonLocations, Settings};
use streamalert_schema::{SchemaSet, Selection, Severity, builtin_schemas};
use streamalert_types::Source;
use streamalert_value::Value;

use crate::args::Global;
use crate::failure::Failure;
use crate::publishers::Presentation;

/// Settings file that is read when none is named.
const SETTINGS_FILE: &str = "streamalert.toml";

/// A user's configuration, loaded.
pub(crate) struct Project {
    pub(crate) settings: Settings,
    pub(crate) conf: Conf,
    pub(crate) schemas: SchemaSet,
    /// The definition of every log type in force, and whether it is built in.
    pub(crate) definitions: BTreeMap<String, (Value, bool)>,
    /// What is suspicious about the schemas but loads.
    pub(crate) schema_warnings: Vec<Problem>,
    /// Templates and redaction.
    pub(crate) presentation: Presentation,
}

/// Reads `streamalert.toml`, environment and flags.
pub(crate) fn load_settings(global: &Global) -> Result<Settings, Failure> {
    let file = settings_file(global).filter(|file| global.config.is_some() || file.exists());
    let mut overrides = global.set.clone();
    let mut path = |key: &str, path: &Path| overrides.push(format!("{key}={}", path.display()));
    if let Some(dir) = &global.data_dir {
        path("data.dir", dir);
    }
    if let Some(dir) = &global.conf {
        path("conf.dir", dir);
    }
    for (key, dirs) in [
        ("conf.rules", &global.rules),
        ("conf.publishers", &global.publishers),
    ] {
        if !dirs.is_empty() {
            let list: Vec<String> = dirs.iter().map(|dir| toml_text(dir)).collect();
            overrides.push(format!("{key}=[{}]", list.join(",")));
        }
    }
    // `STREAMALERT_CONFIG` names the file itself and `STREAMALERT_SHARED` is for our tests: neither is a setting.
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name != "STREAMALERT_CONFIG" && name != "STREAMALERT_SHARED");
    Ok(Settings::load(file.as_deref(), env, &overrides)?)
}

/// Where settings are, or would be.
pub(crate) fn settings_file(global: &Global) -> Option<PathBuf> {
    let file = global.config.clone();
    Some(file.unwrap_or_else(|| PathBuf::from(SETTINGS_FILE)))
}

/// A path as a TOML string.
fn toml_text(path: &Path) -> String {
    let escaped = path
        .display()
        .to_string()
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{escaped}\"")
}

impl Project {
    /// Loads everything, or says all that is wrong.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let settings = load_settings(global)?;
        let conf = Conf::load(&settings.conf.dir)?;
        let (ordered, definitions) = definitions(&conf)?;
        let (schemas, problems) = SchemaSet::compile(&ordered);
        let mut errors = Vec::new();
        let mut schema_warnings = Vec::new();
        for problem in problems {
            let told =
                |severity| conf.schema_problem(severity, &problem.log_type, &problem.path, &problem.message);
            match problem.severity {
                Severity::Error => errors.push(told(streamalert_config::Severity::Error)),
                // Warnings about built-in schemas are ours to mend, not the user's.
                Severity::Warning if conf.schemas.contains_key(&problem.log_type) => {
                    schema_warnings.push(told(streamalert_config::Severity::Warning));
                }
                Severity::Warning => {}
            }
        }
        if !errors.is_empty() {
            return Err(errors.into());
        }
        let presentation = Presentation::load(&settings, &conf.python_locations(&settings.conf).publishers);
        Ok(Self {
            settings,
            conf,
            schemas,
            definitions,
            schema_warnings,
            presentation,
        })
    }

    /// What each source of the cluster files reads. A source without a cluster is found, too.
    pub(crate) fn selections(&self) -> Result<HashMap<Source, Selection>, Failure> {
        let mut selections = HashMap::new();
        let mut problems = Vec::new();
        for entry in self.conf.data_sources() {
            match self.schemas.select(&entry.logs) {
                Ok(selection) => {
                    let anywhere = Source {
                        cluster: None,
                        ..entry.source.clone()
                    };
                    selections.insert(entry.source.clone(), selection.clone());
                    selections.entry(anywhere).or_insert(selection);
                }
                Err(unknown) => {
                    for name in unknown {
                        let at = entry
                            .logs
                            .iter()
                            .position(|log| *log == name.name)
                            .unwrap_or_default();
                        let place = entry.places.get(at).cloned().unwrap_or_default();
                        problems.push(place.error(entry.key.clone(), name.to_string(), ""));
                    }
                }
            }
        }
        if problems.is_empty() {
            Ok(selections)
        } else {
            Err(problems.into())
        }
    }

    /// Pairs of the user's schemas that one source reads and that can take the same record.
    pub(crate) fn ambiguities(&self) -> Result<Vec<Problem>, Failure> {
        let selections = self.selections()?;
        let read_together = |one: &str, two: &str| {
            selections.values().any(|selection| {
                let reads = |name: &str| selection.log_types().any(|log_type| &**log_type == name);
                reads(one) && reads(two)
            })
        };
        let users = |log_type: &str| self.conf.schemas.contains_key(log_type);
        let pairs = self.schemas.ambiguities().into_iter();
        let pairs = pairs.filter(|(one, two)| (users(one) || users(two)) && read_together(one, two));
        Ok(pairs
            .map(|(first, second)| {
                let (at, other) = if users(&second) { (&second, &first) } else { (&first, &second) };
                let message = format!(
                    "takes records that {other} takes, too; {first} is tried first, set configuration.priority to choose"
                );
                self.conf.schema_problem(streamalert_config::Severity::Warning, at, &[], &message)
            })
            .collect())
    }

    /// The source `SERVICE:RESOURCE`, with the cluster whose file names it.
    pub(crate) fn source(&self, name: &str) -> Result<Source, Failure> {
        let Some((service, resource)) = name.split_once(':') else {
            return Err(Failure::Other(format!(
                "not a source of the form SERVICE:RESOURCE: {name:?}"
            )));
        };
        let source = Source {
            service: service.into(),
            resource: resource.into(),
            cluster: None,
        };
        match self.conf.data_source(&source) {
            Some(entry) => Ok(entry.source.clone()),
            None => {
                let known: Vec<String> = self
                    .conf
                    .data_sources()
                    .map(|entry| entry.source.to_string())
                    .collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                Err(Failure::Other(format!(
                    "no cluster file has the source {name}; known are: {known}"
                )))
            }
        }
    }

    /// Folders of Python files: as set, or as `global.json` says.
    pub(crate) fn python_dirs(&self) -> PythonLocations {
        self.conf.python_locations(&self.settings.conf)
    }
}

/// Schema definitions in the order in which they are tried.
type Definitions = (Vec<(String, Value)>, BTreeMap<String, (Value, bool)>);

/// The user's schemas, and the built-in ones of every family that the user says nothing about. Files of both in
/// name order. A family is the user's as a whole: half of ours mixed in would change what their sources match.
fn definitions(conf: &Conf) -> Result<Definitions, Failure> {
    let family = |log_type: &str| log_type.split(':').next().unwrap_or_default().to_owned();
    let users: HashSet<String> = conf.schemas.keys().map(|log_type| family(log_type)).collect();
    let mut files: BTreeMap<String, Vec<(String, Value, bool)>> = BTreeMap::new();
    for (log_type, entry) in &conf.schemas {
        let file = Path::new(entry.document.file())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        files
            .entry(file)
            .or_default()
            .push((log_type.clone(), entry.definition.clone(), false));
    }
    for (file, text) in builtin_schemas() {
        let document = Located::parse(*file, text).map_err(|problem| vec![problem])?;
        let Value::Map(entries) = document.value() else {
            continue;
        };
        for (log_type, definition) in entries {
            if !users.contains(&family(log_type)) {
                let entry = (log_type.clone(), definition.clone(), true);
                files.entry((*file).to_owned()).or_default().push(entry);
            }
        }
    }
    let mut ordered = Vec::new();
    let mut by_name = BTreeMap::new();
    for (log_type, definition, builtin) in files.into_values().flatten() {
        by_name.insert(log_type.clone(), (definition.clone(), builtin));
        ordered.push((log_type, definition));
    }
    Ok((ordered, by_name))
}
