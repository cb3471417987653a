//! Alerts and surroundings for the tests of this crate.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_testkit::emulator::emulated;
use streamalert_types::{Alert, AlertId, ManualClock, Merging, OutputName};
use streamalert_value::{Map, Value};

use crate::registry::LoadContext;
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
            Box::pin(async move { emulated(&endpoint, "100000000000").await })
        }),
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
    let spec = crate::OutputSpec {
        name: name.parse().expect("the test's name"),
        settings,
        origin: "test".to_owned(),
    };
    let loaded = crate::OutputRegistry::load(&[spec], &context(Path::new(".")));
    loaded.err().map(|error| error.to_string()).unwrap_or_default()
}
