//! What no single key can tell: whether the settings agree with each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use streamalert_types::OutputName;

use super::fleet::StoreType;
use super::outputs::OutputTarget;
use super::sources::SourceInput;
use super::{Settings, Tables};
use crate::problem::{Place, Problem, dotted};
use crate::suggest::did_you_mean;

/// `data_sources` of a cluster file knows these services. `stream_alert_app` is StreamAlert 2's name of the last.
pub(crate) const SOURCE_SERVICES: [&str; 4] = ["kinesis", "s3", "sns", "streamalert_app"];

const LOG_LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

struct Check<'a> {
    places: &'a BTreeMap<String, Place>,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    /// Complains about a key at its place, or at the nearest enclosing table's.
    fn error(&mut self, path: &[&str], message: impl Into<String>, fix: impl Into<String>) {
        let place = (1..=path.len())
            .rev()
            .find_map(|end| self.places.get(&dotted(path[..end].iter().copied())).cloned())
            .unwrap_or_else(|| Place::of_file("settings"));
        self.problems
            .push(place.error(dotted(path.iter().copied()), message, fix));
    }
}

pub(super) fn settings(
    tables: Tables,
    places: BTreeMap<String, Place>,
    env: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Settings {
    let mut check = Check {
        places: &places,
        problems,
    };
    let outputs = outputs(&tables, env, &mut check);
    let sources = sources(&tables, &mut check);
    limits(&tables, &mut check);
    telemetry(&tables, &mut check);
    network(&tables, &mut check);
    fleet(&tables, &mut check);
    let Tables {
        data,
        conf,
        classifier,
        rules,
        health,
        python,
        merger,
        dispatcher,
        redact,
        ..
    } = tables;
    let Tables {
        lookup_tables,
        threat_intel,
        aws,
        store,
        secrets,
        node,
        listen,
        peers,
        tls,
        telemetry,
        ..
    } = tables;
    Settings {
        data,
        conf,
        classifier,
        rules,
        health,
        python,
        merger,
        dispatcher,
        redact,
        outputs,
        sources,
        lookup_tables,
        threat_intel,
        aws,
        store,
        secrets,
        node,
        listen,
        peers,
        tls,
        telemetry,
        places,
    }
}

fn outputs(
    tables: &Tables,
    env: &BTreeMap<String, String>,
    check: &mut Check<'_>,
) -> BTreeMap<OutputName, OutputTarget> {
    const FORM: &str = "name it service:descriptor, such as \"slack:security\"";
    let history = OutputTarget::History {
        dir: tables.data.dir.join("history"),
    };
    let mut outputs = BTreeMap::from([(OutputName::history(), history)]);
    for (text, table) in &tables.outputs {
        let Some(name) = output_name(text) else {
            check.error(&["outputs", text], "is not the name of an output", FORM);
            continue;
        };
        match table.target(&name, &tables.data.dir, env) {
            Ok(target) => {
                outputs.insert(name, target);
            }
            Err(error) if error.key.is_empty() => {
                check.error(&["outputs", text], error.message, error.fix);
            }
            Err(error) => check.error(&["outputs", text, error.key], error.message, error.fix),
        }
    }
    for text in &tables.health.outputs {
        if output_name(text).is_none() {
            let message = format!("{text:?} is not the name of an output");
            check.error(&["health", "outputs"], message, FORM);
        }
    }
    for (key, url, place) in [
        ("alert_url", &tables.dispatcher.alert_url, "{id}"),
        ("trace_url", &tables.dispatcher.trace_url, "{trace}"),
    ] {
        let fits =
            |url: &String| (url.starts_with("https://") || url.starts_with("http://")) && url.contains(place);
        if url.as_ref().is_some_and(|url| !fits(url)) {
            let message = format!("is not an http or https url with {place} in it");
            check.error(
                &["dispatcher", key],
                message,
                format!("write https://host/path/{place}"),
            );
        }
    }
    for (text, limits) in &tables.dispatcher.output {
        let path = ["dispatcher", "output", text.as_str()];
        if output_name(text).is_none() {
            check.error(&path, "is not the name of an output", FORM);
        }
        if limits
            .rate_per_sec
            .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
        {
            let path = [path[0], path[1], path[2], "rate_per_sec"];
            check.error(&path, "is not a positive number", "leave it out for no limit");
        }
    }
    outputs
}

fn output_name(text: &str) -> Option<OutputName> {
    let name: OutputName = text.parse().ok()?;
    (!name.service().is_empty() && !name.descriptor().is_empty()).then_some(name)
}

fn sources(tables: &Tables, check: &mut Check<'_>) -> Vec<super::SourceSettings> {
    let mut sources = Vec::with_capacity(tables.sources.len());
    let mut reads_stdin = false;
    for (index, table) in tables.sources.iter().enumerate() {
        let index = index.to_string();
        match table.settings() {
            Ok(source) => {
                let service = &*source.source.service;
                if !SOURCE_SERVICES.contains(&service) {
                    let message = format!("unknown service {service:?}");
                    let fix = did_you_mean(service, SOURCE_SERVICES);
                    check.error(&["sources", &index, "service"], message, fix);
                }
                if source.input == SourceInput::Stdin && std::mem::replace(&mut reads_stdin, true) {
                    let message = "standard input has two sources";
                    check.error(&["sources", &index, "type"], message, "keep one of them");
                }
                sources.push(source);
            }
            Err(("", message, fix)) => check.error(&["sources", &index], message, fix),
            Err((key, message, fix)) => check.error(&["sources", &index, key], message, fix),
        }
    }
    for (name, table) in &tables.lookup_tables {
        if table.path.as_os_str().is_empty() {
            check.error(&["lookup_tables", name], "has no path", "set path");
        }
    }
    sources
}

fn limits(tables: &Tables, check: &mut Check<'_>) {
    let Tables {
        classifier,
        rules,
        dispatcher,
        data,
        ..
    } = tables;
    let ordered = [
        (
            ["rules", "time_limit_ms"],
            rules.time_limit_ms,
            ["rules", "slice_limit_ms"],
            rules.slice_limit_ms,
        ),
        (
            ["dispatcher", "retry_initial_ms"],
            dispatcher.retry_initial_ms,
            ["dispatcher", "retry_max_ms"],
            dispatcher.retry_max_ms,
        ),
        (
            ["classifier", "batch_bytes_max"],
            classifier.batch_bytes_max,
            ["classifier", "in_flight_bytes_max"],
            classifier.in_flight_bytes_max,
        ),
        (
            ["classifier", "record_bytes_max"],
            classifier.record_bytes_max,
            ["classifier", "in_flight_bytes_max"],
            classifier.in_flight_bytes_max,
        ),
        (
            ["data", "dead_letter_body_bytes_max"],
            data.dead_letter_body_bytes_max,
            ["data", "dead_letters_bytes_max"],
            data.dead_letters_bytes_max,
        ),
    ];
    for (small_key, small, big_key, big) in ordered {
        if small > big {
            // The one that the user set is the one to complain about.
            let set = [small_key, big_key]
                .into_iter()
                .find(|key| check.places.contains_key(&key.join(".")));
            let message = format!(
                "{} ({small}) is greater than {} ({big})",
                small_key[1], big_key[1]
            );
            check.error(
                &set.unwrap_or(small_key),
                message,
                "raise the one or lower the other",
            );
        }
    }
}

fn telemetry(tables: &Tables, check: &mut Check<'_>) {
    let telemetry = &tables.telemetry;
    if !(0.0..=1.0).contains(&telemetry.trace_ratio) {
        let message = format!("{} is not between 0 and 1", telemetry.trace_ratio);
        let fix = "write 1 to keep all, 0.01 to keep one in a hundred";
        check.error(&["telemetry", "trace_ratio"], message, fix);
    }
    let endpoint = &telemetry.otlp_endpoint;
    if !endpoint.is_empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        let fix = "write http://HOST:4317, or https:// for a collector with a certificate";
        check.error(&["telemetry", "otlp_endpoint"], "expected a uri", fix);
    }
    let level = telemetry.log_level.as_str();
    if !level.contains(['=', ',']) && !LOG_LEVELS.contains(&level.to_lowercase().as_str()) {
        let fix = did_you_mean(level, LOG_LEVELS);
        check.error(
            &["telemetry", "log_level"],
            format!("unknown level {level:?}"),
            fix,
        );
    }
}

fn fleet(tables: &Tables, check: &mut Check<'_>) {
    let is_set = |key: &str| check.places.contains_key(key);
    let mut found = super::fleet::problems(&tables.aws, &tables.store, &tables.node, is_set);
    found.extend(super::secrets::problems(&tables.secrets, is_set));
    for (path, message, fix) in found {
        check.error(&path, message, fix);
    }
}

fn network(tables: &Tables, check: &mut Check<'_>) {
    let Tables {
        listen, peers, tls, ..
    } = tables;
    let files = [("cert", &tls.cert), ("key", &tls.key), ("ca", &tls.ca)];
    if files.iter().any(|(_, path)| !path.as_os_str().is_empty()) {
        for (key, _) in files.iter().filter(|(_, path)| path.as_os_str().is_empty()) {
            let fix = "set cert, key and ca, or none of them";
            check.error(
                &["tls", key],
                "is missing, so services could not prove who they are",
                fix,
            );
        }
    }
    for (key, uri) in [
        ("rules_node", &peers.rules_node),
        ("merger", &peers.merger),
        ("dispatcher", &peers.dispatcher),
    ] {
        let scheme = if tls.is_on() { "https://" } else { "http://" };
        if uri == "leases" && tables.store.r#type == StoreType::Embedded {
            let fix = "set store.type = \"dynamodb\", or write HOST:PORT";
            check.error(
                &["peers", key],
                "others cannot read leases in a file of this machine",
                fix,
            );
        } else if uri == "leases" && key == "rules_node" {
            let fix = "write HOST:PORT,HOST:PORT, dns:HOST:PORT or srv:NAME";
            check.error(&["peers", key], "rules-nodes own nothing that a lease tells", fix);
        }
        if uri.contains("://") && !uri.starts_with(scheme) {
            let reason = if tls.is_on() { "with tls" } else { "without [tls]" };
            check.error(
                &["peers", key],
                format!("expected {scheme} {reason}"),
                format!("write {scheme}HOST:PORT"),
            );
        }
    }
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    let services = [
        ("admin", listen.admin),
        ("rules_node", listen.rules_node),
        ("merger", listen.merger),
        ("dispatcher", listen.dispatcher),
    ];
    let metrics = listen.metrics.map(|address| ("metrics", address));
    for (key, address) in services.into_iter().chain(metrics) {
        if address.port() == 0 {
            continue;
        }
        if let Some(other) = taken.insert(address, key) {
            check.error(
                &["listen", key],
                format!("{address} is also listen.{other}"),
                "choose another port",
            );
        }
    }
}
