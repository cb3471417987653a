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

use crate::Located;
use crate::problem::Problem;
use reader::Reader;

/// StreamAlert's `conf/` directory, read as it is.
#[derive(Debug)]
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
    /// `normalized_types.json`: log family to normalized type to keys.
    pub normalized_types: Option<Arc<Located>>,
    /// `scheduled_queries.json`.
    pub scheduled_queries: Option<Arc<Located>>,
    /// `lambda.json`.
    pub lambda: Option<Arc<Located>>,
    /// What is suspicious but loads.
    pub warnings: Vec<Problem>,
    /// Keys of StreamAlert that mean nothing here, per file.
    pub ignored: Vec<IgnoredKeys>,
}

impl Conf {
    /// Reads `dir`.
    ///
    /// # Errors
    /// Every problem found, warnings included, when one of them is an error.
    pub fn load(dir: &Path) -> Result<Self, Vec<Problem>> {
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
        let (warnings, ignored) = reader.finish()?;
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
            warnings,
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

    /// A complaint about the schema of `log_type`, placed on the line of the key that `path` (below the log type)
    /// leads to.
    #[must_use]
    pub fn schema_error(&self, log_type: &str, path: &[String], message: &str, fix: &str) -> Problem {
        match self.schemas.get(log_type) {
            Some(entry) => {
                let path: Vec<&str> = std::iter::once(log_type)
                    .chain(path.iter().map(String::as_str))
                    .collect();
                entry.document.error(&path, message, fix)
            }
            None => {
                let place = crate::Place::of_file(self.dir.join("schemas").display().to_string());
                place.error(log_type, message, fix)
            }
        }
    }
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
