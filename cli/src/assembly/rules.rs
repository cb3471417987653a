use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use streamalert_config::{Conf, Known, RuleReference, Settings};
use streamalert_detect::{PublisherPlan, RuleInfo, RuleRuntime, ThreatIntel, ThreatIntelOptions};
use streamalert_dispatcher::Templates;
use streamalert_proto::Alerts;
use streamalert_python::{LoadError, LoadErrorKind, LoadReport};
use streamalert_rules_node::{RulesNode, RulesNodeOptions, RulesNodeParts};
use streamalert_runtime::Runtime;
use streamalert_store::DeadLetterStore;
use streamalert_types::{Clock, Tracer};
use streamalert_value::Value;

use crate::failure::Failure;
use crate::project::Project;
use crate::reload::outputs::Configured;

/// Starts the workers, tells what did not load, and refuses rules that cannot mean what their author thinks, or none
/// at all: reading logs without rules would acknowledge them unseen. Answers also what did not load.
pub(crate) async fn load_rules(
    project: &Project,
    workers: Option<usize>,
    clock: Arc<dyn Clock>,
) -> Result<(Runtime, Vec<String>), Failure> {
    let (runtime, report) = crate::python::start(project, workers, clock).await?;
    for error in &report.errors {
        tracing::error!(file = %error.file.display(), line = error.line, "not loaded: {}", error.message);
    }
    for warning in &report.warnings {
        tracing::warn!(file = %warning.file.display(), line = warning.line, "{}", warning.message);
    }
    let problems = cross_check(project, &report);
    if problems.iter().any(streamalert_config::Problem::is_error) {
        return Err(problems.into());
    }
    runtime.warm();
    let rules = runtime.rules();
    let enabled = rules.rules().iter().filter(|rule| !rule.disabled).count();
    tracing::info!(rules = enabled, version = %rules.version(), python = %report.python_version, "rules loaded");
    if enabled == 0 {
        let dirs: Vec<String> = project
            .python_dirs()
            .rules
            .iter()
            .map(|dir| dir.display().to_string())
            .collect();
        return Err(Failure::Other(format!(
            "no rules were found in {}; name their folder with --rules or in general.rule_locations of global.json",
            dirs.join(", ")
        )));
    }
    Ok((runtime, report.errors.iter().map(ToString::to_string).collect()))
}

/// Everything that `validate` knows, with the rules that were loaded.
pub(crate) fn cross_check(project: &Project, report: &LoadReport) -> Vec<streamalert_config::Problem> {
    let templates = project.presentation.templates.get();
    validated(project, &project.settings, &project.conf, report, &templates)
}

/// The same with outputs as they are configured by now, and other templates than those in force.
pub(crate) fn cross_check_of(
    project: &Project,
    configured: &Configured,
    report: &LoadReport,
    templates: &Templates,
) -> Vec<streamalert_config::Problem> {
    validated(project, &configured.settings, &configured.conf, report, templates)
}

fn validated(
    project: &Project,
    settings: &Settings,
    conf: &Conf,
    report: &LoadReport,
    templates: &Templates,
) -> Vec<streamalert_config::Problem> {
    let (log_types, rules) = (log_types(project), references(report));
    let publishers = crate::publishers::known(project, Some(report), templates);
    let known = Known {
        log_types: &log_types,
        rules: &rules,
        publishers: &publishers,
    };
    let mut problems = project.presentation.problems.clone();
    problems.extend(streamalert_config::validate(conf, settings, &known).problems);
    problems
}

/// What did not load, rules that name outputs or publishers that nobody has among it, and templates.
pub(crate) fn load_errors(project: &Project, report: &LoadReport) -> Vec<LoadError> {
    let (log_types, rules) = (log_types(project), references(report));
    let publishers = crate::publishers::known(project, Some(report), &project.presentation.templates.get());
    let known = Known {
        log_types: &log_types,
        rules: &rules,
        publishers: &publishers,
    };
    let mut problems = project.presentation.problems.clone();
    problems.extend(streamalert_config::validate_rules(
        &project.conf,
        &project.settings,
        &known,
    ));
    let refused = problems.into_iter().filter(streamalert_config::Problem::is_error);
    let refused = refused.map(|problem| {
        let of = match problem.key.as_str() {
            "" => String::new(),
            key => format!("rule [{key}]: "),
        };
        let fix = match problem.fix.as_str() {
            "" => String::new(),
            fix => format!("; {fix}"),
        };
        LoadError {
            file: problem.file.into(),
            line: u32::try_from(problem.line).unwrap_or(0),
            kind: LoadErrorKind::InvalidRule,
            message: format!("{of}{}{fix}", problem.message),
            traceback: String::new(),
        }
    });
    report.errors.iter().cloned().chain(refused).collect()
}

fn log_types(project: &Project) -> Vec<String> {
    project.schemas.log_types().map(ToString::to_string).collect()
}

fn references(report: &LoadReport) -> Vec<RuleReference> {
    let reference = |rule: &Arc<RuleInfo>| {
        let (publishers, published) = match &rule.publishers {
            PublisherPlan::None => (Vec::new(), Vec::new()),
            PublisherPlan::All(names) => (names.clone(), Vec::new()),
            PublisherPlan::ByOutput(by) => (
                by.values().flatten().cloned().collect(),
                by.keys().cloned().collect(),
            ),
        };
        RuleReference {
            rule: rule.name.to_string(),
            file: rule.file.display().to_string(),
            line: rule.line as usize,
            logs: rule.logs.iter().flatten().map(ToString::to_string).collect(),
            outputs: rule.outputs.iter().map(ToString::to_string).collect(),
            dynamic_outputs: rule.dynamic_outputs,
            publishers,
            published,
        }
    };
    report.rules.rules().iter().map(reference).collect()
}

/// A rules-node over `runtime`.
pub(crate) fn rules_node(
    project: &Project,
    runtime: Runtime,
    alerts: Arc<dyn Alerts>,
    dead_letters: Arc<dyn DeadLetterStore>,
    clock: Arc<dyn Clock>,
    tracer: Tracer,
) -> Result<RulesNode, Failure> {
    let threat_intel = threat_intel(project)?.map(Arc::new);
    let in_flight = usize::try_from(project.settings.classifier.in_flight_bytes_max).unwrap_or(usize::MAX);
    let options = RulesNodeOptions {
        in_flight_bytes_max: in_flight,
        tracer,
        ..RulesNodeOptions::default()
    };
    Ok(RulesNode::new(
        options,
        RulesNodeParts {
            runtime: Arc::new(runtime),
            alerts,
            dead_letters,
            threat_intel,
            clock,
        },
    ))
}

/// Indicators from the local file of the settings, looked up as `threat_intel.json` says.
pub(crate) fn threat_intel(project: &Project) -> Result<Option<ThreatIntel>, Failure> {
    let path = &project.settings.threat_intel.path;
    let enabled = project
        .conf
        .threat_intel
        .as_ref()
        .is_some_and(|conf| conf.enabled);
    if !enabled || path.as_os_str().is_empty() {
        return Ok(None);
    }
    threat_intel_of(project, read_iocs(path)?)
}

/// These indicators, by type, looked up as `threat_intel.json` says; `None` when it does not say so.
pub(crate) fn threat_intel_of(
    project: &Project,
    iocs: BTreeMap<String, BTreeSet<String>>,
) -> Result<Option<ThreatIntel>, Failure> {
    let Some(conf) = project.conf.threat_intel.as_ref().filter(|conf| conf.enabled) else {
        return Ok(None);
    };
    let options = ThreatIntelOptions {
        normalized_ioc_types: conf.normalized_ioc_types.clone().into_iter().collect(),
        excluded_iocs: conf
            .excluded_iocs
            .iter()
            .map(|(kind, excluded)| {
                let names = excluded
                    .as_map()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone());
                (kind.clone(), names.collect())
            })
            .collect(),
        iocs,
    };
    let intel =
        ThreatIntel::new(options).map_err(|error| Failure::while_doing("threat_intel.json", error))?;
    Ok(Some(intel))
}

fn read_iocs(path: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let doing = || format!("cannot read {}", path.display());
    let text = std::fs::read(path).map_err(|error| Failure::while_doing(&doing(), error))?;
    let value = Value::parse_json(&text).map_err(|error| Failure::while_doing(&doing(), error))?;
    let kinds = value
        .as_map()
        .ok_or_else(|| Failure::while_doing(&doing(), "expected an object per indicator type"))?;
    Ok(kinds
        .iter()
        .map(|(kind, indicators)| {
            let names: Vec<String> = match indicators {
                Value::Map(map) => map.keys().cloned().collect(),
                Value::List(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            (kind.clone(), names.into_iter().collect())
        })
        .collect())
}
