//! The stores in AWS, and secrets that settings name there, on an emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::json;
use streamalert_aws::Access;
use streamalert_secrets::{
    ManagerStore, OutputFields, RemoteSecret, Secret, SecretName, SecretSetting, SecretStore, Secrets,
    SecretsOptions, SsmStore, StoreOptions,
};
use streamalert_testkit::emulator::{account, ministack};

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// What every store does.
async fn conforms(store: &dyn SecretStore) {
    assert_eq!(store.list().await.unwrap(), []);
    assert_eq!(store.get(&name("team/token")).await.unwrap(), None);
    assert!(!store.remove(&name("team/token")).await.unwrap());
    store.put(&name("team/token"), &secret("one")).await.unwrap();
    store.put(&name("team/token"), &secret("two")).await.unwrap();
    assert_eq!(store.get(&name("team/token")).await.unwrap(), Some(secret("two")));
    let output = "slack:security".parse().unwrap();
    let fields = json!({"url": "https://hooks.example.com/T/B/x", "channel": "#a"});
    let fields = OutputFields::new(fields.as_object().unwrap().clone());
    assert_eq!(store.get_output(&output).await.unwrap(), None);
    store.put_output(&output, &fields).await.unwrap();
    assert_eq!(store.get_output(&output).await.unwrap(), Some(fields));
    // More than one page.
    for n in 0..14 {
        store
            .put(&name(&format!("many/{n:02}")), &secret("x"))
            .await
            .unwrap();
    }
    let names = store.list().await.unwrap();
    assert_eq!(names.len(), 16, "{names:?}");
    assert_eq!(names.first(), Some(&name("many/00")));
    assert_eq!(store.list_outputs().await.unwrap(), std::slice::from_ref(&output));
    assert!(store.remove_output(&output).await.unwrap());
    assert!(store.remove(&name("team/token")).await.unwrap());
    assert_eq!(store.get(&name("team/token")).await.unwrap(), None);
    store.put(&name("team/token"), &secret("three")).await.unwrap();
    assert_eq!(
        store.get(&name("team/token")).await.unwrap(),
        Some(secret("three"))
    );
    let refused = store
        .put(&name("tëam"), &secret("x"))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("letters, digits"), "{refused}");
}

#[tokio::test]
async fn parameter_store_keeps_secrets() {
    let Some(emulator) = ministack().await else { return };
    let config = emulator.config(&account()).await;
    conforms(&SsmStore::new(&config, "/acme/streamalert/", None)).await;
}

#[tokio::test]
async fn secrets_manager_keeps_secrets() {
    let Some(emulator) = ministack().await else { return };
    let config = emulator.config(&account()).await;
    conforms(&ManagerStore::new(&config, "acme/streamalert", None)).await;
}

#[tokio::test]
async fn what_streamalert_keeps_of_an_output_is_read_where_it_keeps_it() {
    let Some(emulator) = ministack().await else { return };
    let config = emulator.config(&account()).await;
    let client = aws_sdk_ssm::Client::new(&config);
    let put = client
        .put_parameter()
        .name("/acme/streamalert/outputs/slack/security");
    let put = put.value(r#"{"url": "https://hooks.example.com"}"#);
    let put = put.r#type(aws_sdk_ssm::types::ParameterType::SecureString);
    put.send().await.unwrap();
    let store = SsmStore::new(&config, "acme/streamalert", None);
    let fields = store
        .get_output(&"slack:security".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fields.expose()["url"], "https://hooks.example.com");
}

#[tokio::test]
async fn settings_name_secrets_which_are_fetched_together_or_told_one_by_one() {
    let Some(emulator) = ministack().await else { return };
    let config = emulator.config(&account()).await;
    SsmStore::new(&config, "fetch", None)
        .put(&name("a"), &secret("from-ssm"))
        .await
        .unwrap();
    let manager = ManagerStore::new(&config, "fetch", None);
    manager
        .put(&name("m"), &secret(r#"{"url": "from-manager"}"#))
        .await
        .unwrap();
    let secrets = Secrets::new(SecretsOptions {
        store: StoreOptions::Ssm {
            prefix: "fetch".to_owned(),
            kms_key: None,
        },
        access: Access::default(),
    })
    .with_config(config);
    let settings = json!({
        "a": {"ssm": "/fetch/a"}, "b": {"secretsmanager": "fetch/m", "key": "url"}, "c": {"store": "a"},
        "d": {"secretsmanager": "fetch/m", "key": "token"}, "e": {"ssm": "/fetch/none"}, "f": {"store": "none"},
    });
    let mut wanted: Vec<RemoteSecret> = Vec::new();
    SecretSetting::remotes_in(&settings, &mut wanted);
    assert_eq!(wanted.len(), 6);
    let fetched = secrets.fetch(wanted).await;
    let get = |key: &str| {
        let setting: SecretSetting = serde_json::from_value(settings[key].clone()).unwrap();
        let found = fetched.secret(&setting, &|_| None, std::path::Path::new("."));
        found.map(|secret| secret.expose().to_owned())
    };
    assert_eq!(get("a").as_deref(), Ok("from-ssm"));
    assert_eq!(get("b").as_deref(), Ok("from-manager"));
    assert_eq!(get("c").as_deref(), Ok("from-ssm"));
    assert_eq!(
        get("d").unwrap_err(),
        "member token of secretsmanager secret fetch/m is not there"
    );
    assert_eq!(
        get("e").unwrap_err(),
        "ssm parameter /fetch/none is not there (in this region and account)"
    );
    assert_eq!(
        get("f").unwrap_err(),
        "stored secret none is not there in SSM Parameter Store /fetch/, put it there with `streamalert secret put none`"
    );
}
