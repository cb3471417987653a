//! Alerts and surroundings for the tests of this crate.

use std::path::Path;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use streamalert_aws::SdkConfig;
use streamalert_testkit::emulator::{Emulator, emulated};
use streamalert_types::{Alert, AlertId, ManualClock, Merging, OutputName};
use streamalert_value::{Map, Value};

use super::suite::PLANTED;
use super::{Output, Receipt, SendError};
use crate::registry::{LoadContext, OutputRegistry, OutputSpec};
use crate::{DefaultPublisher, Fetched, Publication};

pub(crate) fn alert(number: u32) -> Alert {
    Alert {
        id: AlertId::from_u128(u128::from(number) + 1),
        rule_name: "cloudtrail_root_login".into(),
        rule_description: "\n    author:      us\n    description: Somebody used the root account.\n    ".into(),
        created: "2026-01-31T07:59:59.000000Z".parse().unwrap(),
        cluster: Some("prod".into()),
        log_source: "cloudtrail:events".into(),
        log_type: "json".into(),
        source_entity: "stream".into(),
        source_service: "kinesis".into(),
        outputs: [OutputName::history()].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: [].into(),
        merge_window_mins: 0,
        staged: false,
        record: Bytes::from_static(
            br#"{"eventName":"ConsoleLogin","userIdentity":{"type":"Root","arn":"arn:aws:iam::1:root"},"n":1}"#,
        ),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    }
}

pub(crate) fn alert_with_record(number: u32, record: &str) -> Alert {
    Alert {
        record: Bytes::copy_from_slice(record.as_bytes()),
        ..alert(number)
    }
}

/// What the default publisher makes of `alert`.
pub(crate) async fn publication(alert: Alert, output: &str) -> Publication {
    let timeout = std::time::Duration::from_secs(1);
    Publication::compose(
        Arc::new(alert),
        output.parse().unwrap(),
        &DefaultPublisher,
        timeout,
    )
    .await
}

/// The configuration of SDK clients whose secrets are to be seen nowhere.
async fn planted(endpoint: &str) -> SdkConfig {
    let (key, token) = (format!("{PLANTED}-key"), PLANTED.to_owned());
    let credentials = Credentials::new("100000000000", key, Some(token), None, "test");
    let config = emulated(endpoint, "100000000000").await.into_builder();
    config
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// The output `name` with these settings, each as one of several places says them, whose calls go to `emulator`.
pub(crate) fn at_emulator(
    name: &str,
    settings: &[serde_json::Value],
    emulator: &Emulator,
    account: &str,
) -> Arc<dyn Output> {
    let name: OutputName = name.parse().expect("the test's name");
    let specs = settings.iter().map(|settings| OutputSpec {
        name: name.clone(),
        settings: settings.clone(),
        origin: "test".to_owned(),
    });
    let (endpoint, account) = (emulator.endpoint(), account.to_owned());
    let aws_account = Some(account.clone());
    let context = LoadContext {
        aws: Arc::new(move |_| {
            let (endpoint, account) = (endpoint.clone(), account.clone());
            Box::pin(async move { emulated(&endpoint, &account).await })
        }),
        aws_account,
        ..context(Path::new("."))
    };
    let outputs = OutputRegistry::load(&specs.collect::<Vec<_>>(), &context).expect("the test's settings");
    let mut outputs = outputs.into_outputs();
    outputs.remove(&name).expect("it was loaded").output
}

/// Sends an alert.
pub(crate) async fn send(output: &dyn Output, name: &str, alert: Alert) -> Result<Receipt, SendError> {
    let key = format!("{}/{name}", alert.id);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let publication = publication(alert, name).await;
    output.send(&publication, &key, deadline).await
}

pub(crate) fn context(dir: &Path) -> LoadContext {
    LoadContext {
        base_dir: dir.to_owned(),
        history_dir: dir.join("history"),
        env: Arc::new(|name| (name == "PLANTED").then(|| "planted-env-secret".to_owned())),
        fetched: Fetched::default(),
        clock: Arc::new(ManualClock::at("2026-01-31T08:00:00.000000Z".parse().unwrap())),
        credentials: Arc::default(),
        aws: Arc::new(|access| {
            let endpoint = access.endpoint_url.unwrap_or_default();
            Box::pin(async move { planted(&endpoint).await })
        }),
        aws_account: Some("100000000000".to_owned()),
    }
}

/// `publication` with what publishers add to it.
pub(crate) fn magic(mut publication: Publication, fields: serde_json::Value) -> Publication {
    let fields = Value::parse_json(fields.to_string().as_bytes()).unwrap();
    let body = publication
        .body
        .as_map_mut()
        .expect("the default publication is a dictionary");
    body.extend(fields.as_map().expect("fields are a dictionary").clone());
    publication
}

/// What is wrong with the settings of an output.
pub(crate) fn problem(name: &str, settings: serde_json::Value) -> String {
    let spec = OutputSpec {
        name: name.parse().expect("the test's name"),
        settings,
        origin: "test".to_owned(),
    };
    let loaded = OutputRegistry::load(&[spec], &context(Path::new(".")));
    loaded.err().map(|error| error.to_string()).unwrap_or_default()
}
