mod cluster;
mod global;
mod intel;
mod keys;
mod lookup;
mod outputs;
mod reader;
mod schemas;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use streamalert_types::Source;
use streamalert_value::Value;

pub use cluster::{Cluster, DataSource};
pub use global::Global;
pub use intel::ThreatIntel;
pub use keys::IgnoredKeys;
pub use lookup::{LookupTable, LookupTables};
pub(crate) use outputs::SERVICES as OUTPUT_SERVICES;
pub use outputs::{OutputService, Outputs};
pub use schemas::SchemaEntry;

use crate::ConfSettings;
use crate::Located;
use crate::problem::{Place, Problem, Severity, dotted};
use reader::Reader;

/// StreamAlert's `conf/` directory, read as it is.
#[derive(Debug, Clone)]
pub struct Conf {
    /// The directory.
    pub dir: PathBuf,
    /// Log type to schema, files in name order, keys in file order. Empty when the user has none: use the built-ins.
    pub schemas: IndexMap<String, SchemaEntry>,
    /// The clusters, by file name.
    pub clusters: Vec<Cluster>,
    /// `global.json`.
    pub global: Global,
    /// `outputs.json`.
    pub outputs: Outputs,
    /// `lookup_tables.json`.
    pub lookup_tables: LookupTables,
    /// `threat_intel.json`.
    pub threat_intel: Option<ThreatIntel>,
    /// `normalized_types.json`: log family to normalized type to keys. No record is normalized by it, as
    /// normalization is read from schemas.
    pub normalized_types: Option<Arc<Located>>,
    /// `scheduled_queries.json`.
    pub scheduled_queries: Option<Arc<Located>>,
    /// `lambda.json`.
    pub lambda: Option<Arc<Located>>,
    /// What is suspicious; after [`Conf::examine`], what is wrong too.
    pub problems: Vec<Problem>,
    /// Keys of StreamAlert that mean nothing here, per file.
    pub ignored: Vec<IgnoredKeys>,
}

impl Conf {
    /// Reads `dir`.
    ///
    /// # Errors
    /// Every problem found, warnings included, when one of them is an error.
    pub fn load(dir: &Path) -> Result<Self, Vec<Problem>> {
        let conf = Self::examine(dir)?;
        if conf.problems.iter().any(Problem::is_error) {
            Err(conf.problems)
        } else {
            Ok(conf)
        }
    }

    /// Reads what can be read of `dir`, however broken, so that everything can be complained of at once.
    ///
    /// # Errors
    /// The directory itself cannot be read.
    pub fn examine(dir: &Path) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(dir)?;
        let schemas = schemas::read(&mut reader);
        let clusters = cluster::read(&mut reader);
        let global = global::read(&mut reader);
        let outputs = outputs::read(&mut reader);
        let lookup_tables = lookup::read(&mut reader);
        let threat_intel = intel::read(&mut reader);
        let normalized_types = intel::read_normalized_types(&mut reader);
        let scheduled_queries = reader.file("scheduled_queries.json", &keys::SCHEDULED_QUERIES);
        let lambda = reader.file("lambda.json", &keys::LAMBDA);
        reader.unknown_files();
        let (problems, ignored) = reader.finish();
        Ok(Self {
            dir: dir.to_owned(),
            schemas,
            clusters,
            global,
            outputs,
            lookup_tables,
            threat_intel,
            normalized_types,
            scheduled_queries,
            lambda,
            problems,
            ignored,
        })
    }

    /// Every source of every cluster.
    pub fn data_sources(&self) -> impl Iterator<Item = &DataSource> {
        self.clusters.iter().flat_map(|cluster| &cluster.data_sources)
    }

    /// The entry of `data_sources` for `source`; without a cluster the first that has the resource.
    #[must_use]
    pub fn data_source(&self, source: &Source) -> Option<&DataSource> {
        self.data_sources().find(|entry| {
            entry.source.service == source.service
                && entry.source.resource == source.resource
                && (source.cluster.is_none() || entry.source.cluster == source.cluster)
        })
    }

    /// Where the Python files are: as the settings say, else as `global.json` says, relative to the directory that
    /// holds `conf`.
    #[must_use]
    pub fn python_locations(&self, settings: &ConfSettings) -> PythonLocations {
        let root = self.dir.parent().unwrap_or(Path::new(""));
        let choose = |set: &[PathBuf], known: &[PathBuf]| -> Vec<PathBuf> {
            if set.is_empty() {
                known.iter().map(|path| root.join(path)).collect()
            } else {
                set.to_vec()
            }
        };
        PythonLocations {
            rules: choose(&settings.rules, &self.global.rule_locations),
            matchers: choose(&settings.matchers, &self.global.matcher_locations),
            publishers: choose(&settings.publishers, &self.global.publisher_locations),
        }
    }

    /// What the schema library has to say about `log_type`, placed on the line of the key that `path` (below the log
    /// type) leads to.
    #[must_use]
    pub fn schema_problem(
        &self,
        severity: Severity,
        log_type: &str,
        path: &[String],
        message: &str,
    ) -> Problem {
        let path: Vec<&str> = std::iter::once(log_type)
            .chain(path.iter().map(String::as_str))
            .collect();
        let problem = match self.schemas.get(log_type) {
            Some(entry) => entry.document.error(&path, message, ""),
            None => Place::of_file("built-in schemas").error(dotted(path), message, ""),
        };
        Problem { severity, ..problem }
    }
}

/// Directories or files of Python code, by what is in them. They need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonLocations {
    /// Rules.
    pub rules: Vec<PathBuf>,
    /// Matchers.
    pub matchers: Vec<PathBuf>,
    /// Publishers.
    pub publishers: Vec<PathBuf>,
}

/// The kind of a value, for "expected …, found …".
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::BigInt(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
    }
}
