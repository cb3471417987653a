//! The keys that StreamAlert 3 knows, file by file: names from its documentation and example configuration.

use std::fmt;

use streamalert_value::Value;

use crate::Located;
use crate::problem::Problem;
use crate::suggest::{did_you_mean, nearest};

/// Keys of StreamAlert in one file that mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredKeys {
    /// The file.
    pub file: String,
    /// Dotted paths, in file order.
    pub keys: Vec<String>,
}

impl fmt::Display for IgnoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not used here: {}", self.file, self.keys.join(", "))
    }
}

/// What may stand below a key.
pub(super) enum Keys {
    /// Read by us; its reader checks what is inside.
    Used,
    /// Known to StreamAlert, without meaning here.
    Ignored,
    /// These keys.
    Of(&'static [(&'static str, Keys)]),
    /// Any key, each with this below.
    Each(&'static Keys),
}

use Keys::{Each, Ignored, Of, Used};

pub(super) static CLUSTER: Keys = Of(&[
    ("id", Used),
    ("data_sources", Used),
    ("enable_threat_intel", Used),
    (
        "classifier_config",
        Of(&[
            ("enable_custom_metrics", Ignored),
            ("enable_threat_intel", Used),
            ("inputs", Ignored),
            ("log_level", Ignored),
            ("log_retention_days", Ignored),
            ("memory", Ignored),
            ("metric_alarms", Ignored),
            ("timeout", Ignored),
            ("vpc_config", Ignored),
            ("concurrency_limit", Ignored),
            ("sqs_record_batch_size", Ignored),
        ]),
    ),
    (
        "modules",
        Of(&[
            ("cloudtrail", Ignored),
            ("cloudwatch_events", Ignored),
            ("cloudwatch_logs_destination", Ignored),
            ("cloudwatch_monitoring", Ignored),
            ("flow_logs", Ignored),
            ("kinesis", Ignored),
            ("kinesis_events", Ignored),
            ("s3_events", Ignored),
            ("stream_alert", Ignored),
            ("stream_alert_apps", Ignored),
            ("streamalert_apps", Ignored),
        ]),
    ),
    ("outputs", Ignored),
    ("region", Used),
]);

pub(super) static GLOBAL: Keys = Of(&[
    (
        "account",
        Of(&[
            ("aws_account_id", Ignored),
            ("kms_key_alias", Ignored),
            ("prefix", Used),
            ("region", Used),
        ]),
    ),
    (
        "general",
        Of(&[
            ("matcher_locations", Used),
            ("publisher_locations", Used),
            ("rule_locations", Used),
            ("scheduled_query_locations", Used),
            ("terraform_files", Ignored),
            ("third_party_libraries", Used),
        ]),
    ),
    (
        "infrastructure",
        Of(&[
            ("alerts_firehose", Ignored),
            ("alerts_table", Ignored),
            ("artifact_extractor", Ignored),
            ("classifier_sqs", Ignored),
            ("firehose", Ignored),
            ("monitoring", Ignored),
            ("rule_staging", Ignored),
            ("s3_access_logging", Ignored),
        ]),
    ),
    ("s3_access_logging", Ignored),
    ("terraform", Ignored),
    ("threat_intel", Ignored),
]);

pub(super) static LAMBDA: Keys = Of(&[
    ("alert_merger_config", Ignored),
    ("alert_processor_config", Ignored),
    ("artifact_extractor_config", Ignored),
    ("athena_partitioner_config", Ignored),
    ("athena_partition_refresh_config", Ignored),
    ("classifier_config", Ignored),
    ("rule_promotion_config", Ignored),
    ("rules_engine_config", Ignored),
    ("scheduled_queries_runner_config", Ignored),
    ("threat_intel_downloader_config", Ignored),
]);

pub(super) static SCHEDULED_QUERIES: Keys = Of(&[
    ("enabled", Ignored),
    ("config", Ignored),
    ("packs", Ignored),
    ("lambda_config", Ignored),
]);

pub(super) static LOOKUP_TABLES: Keys = Of(&[("enabled", Used), ("tables", Used)]);

pub(super) static THREAT_INTEL: Keys = Of(&[
    ("dynamodb_table", Ignored),
    ("dynamodb_table_name", Ignored),
    ("enabled", Used),
    ("excluded_iocs", Used),
    ("normalized_ioc_types", Used),
]);

/// Normalization is read from schemas; of this file only the form is checked, and threat intelligence may name its types.
pub(super) static NORMALIZED_TYPES: Keys = Each(&Ignored);

pub(super) static OUTPUTS: Keys = Each(&Used);

/// The values of these keys belong to the schema library, which has the last word on them.
pub(super) static SCHEMAS: Keys = Each(&Of(&[
    ("schema", Used),
    ("parser", Used),
    // Ours: keys that the schema does not know are kept instead of refused.
    ("unknown_keys", Used),
    (
        "configuration",
        Of(&[
            ("delimiter", Used),
            ("embedded_json", Used),
            ("envelope_keys", Used),
            ("escapechar", Used),
            ("json_path", Used),
            ("json_regex_key", Used),
            ("log_patterns", Used),
            ("normalization", Used),
            ("optional_envelope_keys", Used),
            ("optional_top_level_keys", Used),
            ("priority", Used),
            ("quotechar", Used),
            ("separator", Used),
        ]),
    ),
]));

impl Keys {
    /// Compares the keys below `path` with those that are known: unknown ones become warnings, unused ones are
    /// collected.
    pub(super) fn check<'a>(
        &self,
        document: &Located,
        path: &mut Vec<&'a str>,
        value: &'a Value,
        problems: &mut Vec<Problem>,
        ignored: &mut Vec<String>,
    ) {
        match self {
            Used => {}
            Ignored => ignored.push(document.key_of(path)),
            Each(below) => {
                let Value::Map(map) = value else { return };
                for (key, inner) in map {
                    path.push(key);
                    below.check(document, path, inner, problems, ignored);
                    path.pop();
                }
            }
            Of(known) => {
                let Value::Map(map) = value else { return };
                // One word for the whole section where nothing in it is used.
                let is_unused = known.iter().all(|(_, keys)| matches!(keys, Ignored));
                if is_unused && !path.is_empty() {
                    ignored.push(document.key_of(path));
                }
                for (key, inner) in map {
                    path.push(key);
                    match known.iter().find(|(name, _)| name == key) {
                        Some((_, Ignored)) if is_unused && path.len() > 1 => {}
                        Some((_, below)) => below.check(document, path, inner, problems, ignored),
                        None => problems.push(unknown(document, path, known)),
                    }
                    path.pop();
                }
            }
        }
    }
}

fn unknown(document: &Located, path: &[&str], known: &'static [(&'static str, Keys)]) -> Problem {
    let word = path.last().copied().unwrap_or_default();
    let names = known.iter().map(|(name, _)| *name);
    let fix = match nearest(word, names.clone()) {
        Some(_) => did_you_mean(word, names),
        None => "remove it".to_owned(),
    };
    document.warning(
        path,
        "a key that StreamAlert does not know; it has no effect",
        fix,
    )
}
