use std::sync::Arc;

use streamalert_types::Source;
use streamalert_value::Value;

use super::keys;
use super::reader::Reader;
use crate::problem::Place;
use crate::suggest::did_you_mean;
use crate::{Located, settings};

/// One file of `clusters`.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The file's name without `.json`, as StreamAlert names clusters.
    pub name: Arc<str>,
    /// What is read, in file order.
    pub data_sources: Vec<DataSource>,
    /// Whether records of this cluster are compared with threat intelligence.
    pub enable_threat_intel: bool,
    /// The file.
    pub document: Arc<Located>,
}

/// One resource of `data_sources`.
#[derive(Debug, Clone)]
pub struct DataSource {
    /// Service, resource and cluster.
    pub source: Source,
    /// Families (`cloudtrail`) or exact log types (`cloudtrail:events`), in file order.
    pub logs: Vec<String>,
    /// The line of each of `logs`.
    pub places: Vec<Place>,
    /// Dotted path of the resource in its file.
    pub key: String,
}

pub(super) fn read(reader: &mut Reader) -> Vec<Cluster> {
    let files = reader.folder("clusters").unwrap_or_default();
    if files.is_empty() {
        let place = reader.shown("clusters");
        let fix = "write clusters/prod.json with data_sources";
        reader
            .problems
            .push(place.warning("", "there is no cluster, so no source of logs is known", fix));
    }
    files
        .iter()
        .filter_map(|file| read_cluster(reader, file))
        .collect()
}

fn read_cluster(reader: &mut Reader, file: &str) -> Option<Cluster> {
    let document = reader.file(file, &keys::CLUSTER)?;
    let Value::Map(root) = document.value() else {
        return None;
    };
    let name: Arc<str> = file
        .trim_start_matches("clusters/")
        .trim_end_matches(".json")
        .into();
    if let Some(id) = root.get("id").and_then(|id| reader.text(&document, &["id"], id))
        && id != &*name
    {
        let message = format!("the cluster is called {name:?} after its file, not {id:?}");
        reader
            .problems
            .push(document.warning(&["id"], message, "make the two the same"));
    }
    let mut data_sources = Vec::new();
    match root.get("data_sources") {
        Some(value) => {
            let services = reader
                .map(&document, &["data_sources"], value)
                .into_iter()
                .flatten();
            for (service, resources) in services {
                read_service(reader, &document, &name, service, resources, &mut data_sources);
            }
        }
        None => {
            let problem = document.warning(&[], "there are no data_sources", "add data_sources");
            reader.problems.push(problem);
        }
    }
    let mut enable_threat_intel = false;
    if let Some(value) = root.get("enable_threat_intel") {
        enable_threat_intel |= reader
            .flag(&document, &["enable_threat_intel"], value)
            .unwrap_or_default();
    }
    if let Some(Value::Map(config)) = root.get("classifier_config")
        && let Some(value) = config.get("enable_threat_intel")
    {
        let path = ["classifier_config", "enable_threat_intel"];
        enable_threat_intel |= reader.flag(&document, &path, value).unwrap_or_default();
    }
    Some(Cluster {
        name,
        data_sources,
        enable_threat_intel,
        document,
    })
}

fn read_service(
    reader: &mut Reader,
    document: &Located,
    cluster: &Arc<str>,
    service: &str,
    resources: &Value,
    data_sources: &mut Vec<DataSource>,
) {
    let path = ["data_sources", service];
    // The name of StreamAlert 2.
    let name = if service == "stream_alert_app" {
        "streamalert_app"
    } else {
        service
    };
    if !settings::SOURCE_SERVICES.contains(&name) {
        let fix = did_you_mean(name, settings::SOURCE_SERVICES);
        reader
            .problems
            .push(document.error(&path, format!("unknown service {name:?}"), fix));
        return;
    }
    for (resource, logs) in reader.map(document, &path, resources).into_iter().flatten() {
        let mut path = vec![path[0], path[1], resource];
        // StreamAlert 2 wrote { "logs": […] }.
        let list = match logs {
            Value::Map(entry) => {
                let Some(list) = entry.get("logs") else {
                    let fix = "write [\"family\"] or { \"logs\": [\"family\"] }";
                    reader.problems.push(document.error(&path, "names no logs", fix));
                    continue;
                };
                path.push("logs");
                list
            }
            list => list,
        };
        let logs = reader.texts(document, &path, list);
        if matches!(list, Value::List(items) if items.is_empty()) {
            let fix = "name the log families to expect, such as [\"cloudtrail\"]";
            reader
                .problems
                .push(document.error(&path, "names no logs, so nothing would match", fix));
        }
        let places = (0..logs.len())
            .map(|index| {
                let index = index.to_string();
                let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
                document.place_of(&path)
            })
            .collect();
        let source = Source {
            service: name.into(),
            resource: resource.as_str().into(),
            cluster: Some(Arc::clone(cluster)),
        };
        data_sources.push(DataSource {
            source,
            logs,
            places,
            key: document.key_of(&path),
        });
    }
}
