use std::collections::BTreeMap;
use std::path::PathBuf;

use futures::StreamExt;
use streamalert_aws::Access;
use streamalert_config::{Conf, SecretsType, Settings};
use streamalert_dispatcher::{Fetched, OutputSpec};
use streamalert_secrets::{
    FileStoreOptions, KEY_VARIABLE, Secret, SecretSetting, Secrets, SecretsOptions, StoreOptions,
};
use streamalert_types::OutputName;
use streamalert_value::Value;

/// Outputs whose fields are asked for at once.
const CONCURRENCY: usize = 8;

/// Fields of an output by name.
pub(crate) type Fields = serde_json::Map<String, serde_json::Value>;

/// Fetches the secrets of these settings. Reads nothing and asks nobody yet.
pub(crate) fn secrets(settings: &Settings, conf: &Conf) -> Secrets {
    let own = &settings.secrets;
    let (prefix, kms_key) = (secrets_prefix(settings, conf), own.kms_key.clone());
    let store = match own.r#type {
        SecretsType::File => StoreOptions::File(files(settings)),
        SecretsType::Ssm => StoreOptions::Ssm { prefix, kms_key },
        SecretsType::SecretsManager => StoreOptions::SecretsManager { prefix, kms_key },
    };
    Secrets::new(SecretsOptions {
        store,
        access: Access {
            region: own.region.clone().or_else(|| settings.aws.region.clone()),
            endpoint_url: settings.aws.endpoint_url.clone(),
            role: None,
        },
    })
}

fn files(settings: &Settings) -> FileStoreOptions {
    let own = &settings.secrets;
    let in_data = |file: &Option<PathBuf>, name: &str| {
        let unset = || settings.data.dir.join(name);
        file.clone().unwrap_or_else(unset)
    };
    FileStoreOptions {
        file: in_data(&own.file, "secrets.enc"),
        key_file: in_data(&own.key_file, "secrets.key"),
        key: std::env::var(KEY_VARIABLE).ok().map(Secret::new),
    }
}

/// The files of this machine that secrets are kept in.
pub(crate) fn secret_files(settings: &Settings) -> Vec<PathBuf> {
    match settings.secrets.r#type {
        SecretsType::File => {
            let files = files(settings);
            vec![files.file, files.key_file]
        }
        SecretsType::Ssm | SecretsType::SecretsManager => Vec::new(),
    }
}

/// What the names of secrets in AWS begin with: as set, or as StreamAlert has it.
pub(crate) fn secrets_prefix(settings: &Settings, conf: &Conf) -> String {
    if let Some(prefix) = &settings.secrets.prefix {
        return prefix.trim_matches('/').to_owned();
    }
    let account = conf.global.section("account");
    match account
        .and_then(|account| account.get("prefix"))
        .and_then(Value::as_str)
    {
        Some(prefix) if !prefix.is_empty() => format!("{prefix}/streamalert"),
        _ => "streamalert".to_owned(),
    }
}

/// The fields of outputs that are kept in the store and that nothing in `settings` says; and why those of others cannot
/// be had.
pub(super) async fn stored(
    secrets: &Secrets,
    settings: &Settings,
    specs: &[OutputSpec],
) -> (BTreeMap<OutputName, Fields>, Vec<(OutputName, String)>) {
    let has_fields = |name: &OutputName| {
        let service = streamalert_dispatcher::service(name.service());
        service.is_some_and(|service| service.fields.iter().any(|field| !field.is_short))
    };
    let wanted = specs.iter().filter(|spec| {
        has_fields(&spec.name)
            && spec.name != OutputName::history()
            && !settings.outputs.contains_key(&spec.name)
    });
    let asked = wanted.map(|spec| async {
        let found = secrets.load_output_settings(&spec.name).await;
        (spec.name.clone(), found)
    });
    // A list, because a stream over a closure that borrows is not known to be `Send`.
    let asked: Vec<_> = asked.collect();
    let answers: Vec<_> = futures::stream::iter(asked).buffered(CONCURRENCY).collect().await;
    let mut fields = BTreeMap::new();
    let mut failures = Vec::new();
    for (name, found) in answers {
        match found {
            Ok(Some(found)) => {
                fields.insert(name, found.into_map());
            }
            Ok(None) => {}
            Err(error) => failures.push((name, error.to_string())),
        }
    }
    (fields, failures)
}

/// Asks for the secrets that settings and stored fields name.
pub(super) async fn fetch(secrets: &Secrets, specs: &[OutputSpec]) -> Fetched {
    let mut wanted = Vec::new();
    for spec in specs {
        SecretSetting::remotes_in(&spec.settings, &mut wanted);
    }
    secrets.fetch(wanted).await
}
