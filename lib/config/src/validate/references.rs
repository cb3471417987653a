use std::collections::BTreeSet;
use std::path::Path;

use streamalert_types::OutputName;
use streamalert_value::Value;

use super::{Known, RuleReference};
use crate::conf::OUTPUT_SERVICES;
use crate::problem::{Place, Problem};
use crate::settings::SourceInput;
use crate::suggest::{did_you_mean, nearest};
use crate::{Conf, Settings};

/// `family` of `family:subtype`.
fn family(log_type: &str) -> &str {
    log_type.split_once(':').map_or(log_type, |(family, _)| family)
}

fn families(log_types: &[String]) -> BTreeSet<&str> {
    log_types.iter().map(|log_type| family(log_type)).collect()
}

/// Every family or type that a source expects exists.
pub(super) fn data_sources(conf: &Conf, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let families = families(known.log_types);
    for source in conf.data_sources() {
        for (name, place) in source.logs.iter().zip(&source.places) {
            let (kind, exists) = if name.contains(':') {
                ("log type", known.log_types.contains(name))
            } else {
                (
                    "log family",
                    families.contains(name.as_str()) || known.log_types.contains(name),
                )
            };
            if !exists {
                let fix = if name.contains(':') {
                    did_you_mean(name, known.log_types.iter().map(String::as_str))
                } else {
                    did_you_mean(name, families.iter().copied())
                };
                problems.push(place.error(source.key.as_str(), format!("unknown {kind} {name:?}"), fix));
            }
        }
    }
}

/// Every normalized type that threat intelligence looks at is made by something.
pub(super) fn threat_intel(conf: &Conf, problems: &mut Vec<Problem>) {
    let Some(intel) = &conf.threat_intel else { return };
    let mut defined: BTreeSet<&str> = BTreeSet::new();
    if let Some(Value::Map(families)) = conf.normalized_types.as_deref().map(crate::Located::value) {
        for types in families.values() {
            if let Value::Map(types) = types {
                defined.extend(types.keys().map(String::as_str));
            }
        }
    }
    for entry in conf.schemas.values() {
        let Value::Map(definition) = &entry.definition else {
            continue;
        };
        let Some(Value::Map(configuration)) = definition.get("configuration") else {
            continue;
        };
        let Some(Value::Map(types)) = configuration.get("normalization") else {
            continue;
        };
        defined.extend(types.keys().map(String::as_str));
    }
    for (kind, names) in &intel.normalized_ioc_types {
        for (index, name) in names.iter().enumerate() {
            if !defined.contains(name.as_str()) {
                let index = index.to_string();
                let path = ["normalized_ioc_types", kind, index.as_str()];
                let message = format!("no log type has a normalized type {name:?}");
                let fix = match nearest(name, defined.iter().copied()) {
                    Some(nearest) => format!("did you mean {nearest:?}?"),
                    None => "add it to a schema's normalization".to_owned(),
                };
                problems.push(intel.document.warning(&path, message, fix));
            }
        }
    }
}

/// A lookup table of this machine serves one that StreamAlert's configuration knows, and the other way round.
pub(super) fn lookup_tables(conf: &Conf, settings: &Settings, problems: &mut Vec<Problem>) {
    let tables = &conf.lookup_tables;
    for (name, table) in &settings.lookup_tables {
        let place = settings.place_of(&["lookup_tables", name]);
        let key = format!("lookup_tables.{name}");
        if !table.path.is_file() {
            let place = settings.place_of(&["lookup_tables", name, "path"]);
            let message = format!("there is no file {}", table.path.display());
            problems.push(place.error(format!("{key}.path"), message, "correct the path"));
        }
        if tables.document.is_some() && !tables.tables.contains_key(name) {
            let fix = match nearest(name, tables.tables.keys().map(String::as_str)) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => "add it to lookup_tables.json".to_owned(),
            };
            problems.push(place.warning(key, "lookup_tables.json has no such table", fix));
        }
    }
    if !tables.enabled {
        return;
    }
    let Some(document) = &tables.document else { return };
    for name in tables
        .tables
        .keys()
        .filter(|name| !settings.lookup_tables.contains_key(*name))
    {
        let message = "nothing serves the table on this machine, so rules get their default from it";
        let fix = format!("set lookup_tables.{name}.path in streamalert.toml");
        problems.push(document.warning(&["tables", name], message, fix));
    }
}

/// Secrets are there, and limits belong to outputs that exist.
pub(super) fn outputs(conf: &Conf, settings: &Settings, problems: &mut Vec<Problem>) {
    for (name, target) in &settings.outputs {
        for variable in target
            .secrets()
            .into_iter()
            .filter_map(|secret| secret.missing_variable())
        {
            let place = settings.place_of(&["outputs", name.as_str()]);
            let message = format!("environment variable {variable} is not set");
            let key = format!("outputs.{name}");
            problems.push(place.warning(key, message, "set it where the dispatcher runs"));
        }
    }
    for name in settings.health.output_names() {
        let place = settings.place_of(&["health", "outputs"]);
        if !exists(conf, settings, &name) {
            let message = format!("unknown output {:?}", name.as_str());
            let fix = output_hint(conf, settings, name.as_str());
            problems.push(place.error("health.outputs", message, fix));
        }
    }
    for text in settings.dispatcher.output.keys() {
        let Ok(name) = text.parse::<OutputName>() else {
            continue;
        };
        if !exists(conf, settings, &name) {
            let place = settings.place_of(&["dispatcher", "output", text]);
            let key = format!("dispatcher.output.{text}");
            problems.push(place.error(
                key,
                "no such output is configured",
                output_hint(conf, settings, text),
            ));
        }
    }
}

/// Outputs that something is redacted for exist.
pub(super) fn redacted_outputs(conf: &Conf, settings: &Settings, problems: &mut Vec<Problem>) {
    let names: BTreeSet<OutputName> = settings
        .outputs
        .keys()
        .cloned()
        .chain(conf.outputs.names())
        .collect();
    for text in &settings.redact.outputs {
        let is_known = text == "*"
            || names
                .iter()
                .any(|name| name.as_str() == text || name.service() == text);
        if !is_known {
            let place = settings.place_of(&["redact", "outputs"]);
            let message = format!("no output is {text:?}");
            problems.push(place.warning("redact.outputs", message, output_hint(conf, settings, text)));
        }
    }
}

fn exists(conf: &Conf, settings: &Settings, name: &OutputName) -> bool {
    settings.outputs.contains_key(name) || conf.outputs.get(name).is_some()
}

fn output_hint(conf: &Conf, settings: &Settings, text: &str) -> String {
    let all: BTreeSet<OutputName> = settings
        .outputs
        .keys()
        .cloned()
        .chain(conf.outputs.names())
        .collect();
    let service = text.split(':').next().unwrap_or_default();
    if !OUTPUT_SERVICES.contains(&service) && nearest(text, all.iter().map(OutputName::as_str)).is_none() {
        return did_you_mean(service, OUTPUT_SERVICES);
    }
    match nearest(text, all.iter().map(OutputName::as_str)) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("add [outputs.{text:?}] to streamalert.toml"),
    }
}

/// Sources of this machine stand for resources of a cluster.
pub(super) fn sources(conf: &Conf, settings: &Settings, problems: &mut Vec<Problem>) {
    for (index, entry) in settings.sources.iter().enumerate() {
        let index = index.to_string();
        let place = settings.place_of(&["sources", &index]);
        let source = &entry.source;
        let resources: BTreeSet<&str> = conf
            .data_sources()
            .filter(|known| {
                known.source.service == source.service
                    && (source.cluster.is_none() || known.source.cluster == source.cluster)
            })
            .map(|known| &*known.source.resource)
            .collect();
        if !resources.contains(&*source.resource) {
            let message = format!(
                "no cluster names the {} resource {:?}",
                source.service, source.resource
            );
            let fix = match resources.is_empty() {
                true => "add it to data_sources of conf/clusters".to_owned(),
                false => did_you_mean(&source.resource, resources.iter().copied()),
            };
            problems.push(place.error(format!("sources.{index}.resource"), message, fix));
        } else if source.cluster.is_none()
            && conf
                .data_sources()
                .filter(|known| {
                    known.source.service == source.service && known.source.resource == source.resource
                })
                .count()
                > 1
        {
            let message = format!(
                "several clusters have the resource {:?}; the first one counts",
                source.resource
            );
            problems.push(place.warning(format!("sources.{index}"), message, "set cluster"));
        }
        if let SourceInput::Directory { dir } = &entry.input
            && !dir.is_dir()
        {
            let place = settings.place_of(&["sources", &index, "path"]);
            let message = format!("there is no directory {}", dir.display());
            problems.push(place.error(
                format!("sources.{index}.path"),
                message,
                "correct the path or create it",
            ));
        }
    }
}

/// Outputs that rules name and StreamAlert knows, but nothing on this machine delivers to.
pub(super) fn undelivered(conf: &Conf, settings: &Settings, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let used: BTreeSet<OutputName> = known
        .rules
        .iter()
        .flat_map(|rule| &rule.outputs)
        .filter_map(|text| text.parse().ok())
        .collect();
    for name in &used {
        if settings.outputs.contains_key(name) || conf.outputs.get(name).is_none() {
            continue;
        }
        let fix = if OUTPUT_SERVICES.contains(&name.service()) {
            format!(
                "`streamalert output add {name}`, or [outputs.{:?}] in streamalert.toml",
                name.as_str()
            )
        } else {
            format!("there is no output for {} yet", name.service())
        };
        let message = "rules send to it, but nothing delivers: such alerts become dead letters";
        problems.push(conf.outputs.place_of(name).warning(name.as_str(), message, fix));
    }
}

/// Rules name logs and outputs that exist.
pub(super) fn rules(conf: &Conf, settings: &Settings, known: &Known<'_>, problems: &mut Vec<Problem>) {
    for rule in known.rules {
        let place = Place {
            file: rule.file.clone(),
            line: rule.line,
            column: usize::from(rule.line > 0),
        };
        for text in &rule.outputs {
            if let Some(fix) = unknown_output(conf, settings, text) {
                // The loaders put a colon behind what has none.
                let text = text.strip_suffix(':').unwrap_or(text);
                problems.push(place.error(rule.rule.as_str(), format!("unknown output {text:?}"), fix));
            }
        }
        publishers(rule, &place, known, problems);
        for log in rule.logs.iter().filter(|log| !known.log_types.contains(log)) {
            let fix = did_you_mean(log, known.log_types.iter().map(String::as_str));
            let message = format!("unknown log type {log:?}, so the rule never sees a record of it");
            problems.push(place.warning(rule.rule.as_str(), message, fix));
        }
    }
}

/// What to write in the place of an output that is not there.
fn unknown_output(conf: &Conf, settings: &Settings, text: &str) -> Option<String> {
    match text.parse::<OutputName>() {
        Ok(name) if exists(conf, settings, &name) => None,
        Ok(name) if !name.service().is_empty() && !name.descriptor().is_empty() => {
            Some(output_hint(conf, settings, text))
        }
        _ => Some("name it service:descriptor, such as \"slack:security\"".to_owned()),
    }
}

/// A rule's publishers exist, and are for outputs that it has.
fn publishers(rule: &RuleReference, place: &Place, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let mut told = BTreeSet::new();
    for name in rule.publishers.iter().filter(|name| told.insert(*name)) {
        if let Some(fix) = unknown_publisher(known, name) {
            problems.push(place.error(rule.rule.as_str(), format!("unknown publisher {name:?}"), fix));
        }
    }
    for key in rule.published.iter().filter(|_| !rule.dynamic_outputs) {
        let service = |output: &String| output.split(':').next() == Some(key.as_str());
        if !rule.outputs.iter().any(|output| output == key || service(output)) {
            let message = format!("has publishers for {key:?}, which is none of its outputs");
            let fix = did_you_mean(key, rule.outputs.iter().map(String::as_str));
            problems.push(place.warning(rule.rule.as_str(), message, fix));
        }
    }
}

/// What to write in the place of a publisher that is not there.
fn unknown_publisher(known: &Known<'_>, name: &str) -> Option<String> {
    if known.publishers.iter().any(|one| one == name) {
        return None;
    }
    let nearest = nearest(name, known.publishers.iter().map(String::as_str));
    Some(match (nearest, name.strip_prefix("template:")) {
        (Some(nearest), _) => format!("did you mean {nearest:?}?"),
        (None, Some(template)) => format!("write it as {template}.j2 into a folder of publishers"),
        (None, None) => "register it with @Register in a folder of publishers".to_owned(),
    })
}

/// Publishers that single outputs have in the settings exist.
pub(super) fn output_publishers(settings: &Settings, known: &Known<'_>, problems: &mut Vec<Problem>) {
    for (output, own) in &settings.dispatcher.output {
        for name in &own.publishers {
            if let Some(fix) = unknown_publisher(known, name) {
                let place = settings.place_of(&["dispatcher", "output", output, "publishers"]);
                let key = format!("dispatcher.output.{output}.publishers");
                problems.push(place.error(key, format!("unknown publisher {name:?}"), fix));
            }
        }
    }
}

/// Folders that `global.json` names exist.
pub(super) fn locations(conf: &Conf, settings: &Settings, problems: &mut Vec<Problem>) {
    let Some(document) = &conf.global.document else {
        return;
    };
    let python = conf.python_locations(&settings.conf);
    let lists = [
        ("rule_locations", &settings.conf.rules, &python.rules),
        ("matcher_locations", &settings.conf.matchers, &python.matchers),
        (
            "publisher_locations",
            &settings.conf.publishers,
            &python.publishers,
        ),
    ];
    for (key, set, paths) in lists {
        for path in paths.iter().filter(|path| set.is_empty() && !path.exists()) {
            let message = format!("there is no {}", path.display());
            problems.push(document.warning(
                &["general", key],
                message,
                "correct the path, or make the folder",
            ));
        }
    }
}

/// Files that the settings name exist.
pub(super) fn paths(settings: &Settings, problems: &mut Vec<Problem>) {
    let files: [(&str, &str, &Path); 4] = [
        ("tls", "cert", &settings.tls.cert),
        ("tls", "key", &settings.tls.key),
        ("tls", "ca", &settings.tls.ca),
        ("threat_intel", "path", &settings.threat_intel.path),
    ];
    for (section, key, path) in files {
        if !path.as_os_str().is_empty() && !path.is_file() {
            let message = format!("there is no file {}", path.display());
            let place = settings.place_of(&[section, key]);
            problems.push(place.error(format!("{section}.{key}"), message, "correct the path"));
        }
    }
    let lists = [
        ("rules", &settings.conf.rules),
        ("matchers", &settings.conf.matchers),
        ("publishers", &settings.conf.publishers),
    ];
    for (key, list) in lists {
        for path in list.iter().filter(|path| !path.exists()) {
            let message = format!("there is no {}", path.display());
            let place = settings.place_of(&["conf", key]);
            problems.push(place.error(format!("conf.{key}"), message, "correct the path"));
        }
    }
}
