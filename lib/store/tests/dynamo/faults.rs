//! Lost replies, throttling, late writers, missing tables, bodies that no item holds.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use bytes::Bytes;
use streamalert_store::conformance::{alert, fence, moment, output, stored};
use streamalert_store::{
    Accepted, AlertState, AlertStore, Capacity, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, DynamoStore, Lease, LeaseAnswer, LeaseStore, SettledDelivery, ShardId, StoreError,
    StoredAlert,
};
use streamalert_testkit::emulator::{Emulator, Microburst, account, dynamodb_local, ministack};
use streamalert_types::{
    Alert, AlertId, DeadLetter, DeadLetterId, DeadLetterKind, DeliveryOutcome, GroupId, ManualClock,
};

use crate::options;

const SHARD: ShardId = ShardId(3);

/// A store behind a proxy that misbehaves on demand, and one on the same tables that goes straight.
struct Pair {
    proxy: Microburst,
    faulty: DynamoStore,
    direct: DynamoStore,
}

async fn pair(emulator: &Emulator, patience: Duration) -> Option<Pair> {
    let proxy = Microburst::before(emulator).await?;
    let (account, clock) = (account(), ManualClock::default());
    let direct = DynamoStore::new(options(emulator.config(&account).await, clock.clone()));
    direct.create_tables(Capacity::OnDemand).await.unwrap();
    let mut behind = options(proxy.config(&account).await, clock);
    behind.patience = patience;
    Some(Pair {
        proxy,
        faulty: DynamoStore::new(behind),
        direct,
    })
}

impl Pair {
    /// Lets the proxy answer an error once: it learns the language of the service then, for which it needs longer than
    /// our calls wait on a busy machine.
    async fn warmed(self) -> Self {
        let rule = r#"[{"service": "dynamodb", "operation": "ListTables", "error": {"code": "ThrottlingException"}}]"#;
        self.proxy.add_rules(rule).await;
        let client = aws_sdk_dynamodb::Client::new(&self.proxy.config(&account()).await);
        let throttled = client.list_tables().send().await;
        assert!(throttled.is_err(), "{throttled:?}");
        self
    }

    /// The next call of `operation` is carried out, and its reply is cut off.
    async fn lose_reply(&self, operation: &str) {
        let rule = format!(
            r#"[{{"service": "dynamodb", "operation": "{operation}", "times": 1, "response": {{"abort_bytes": 1}}}}]"#
        );
        self.proxy.clear_rules().await;
        self.proxy.add_rules(&rule).await;
    }

    async fn assert_fired(&self, times: usize, operation: &str) {
        let fired = self.proxy.fired().await;
        assert_eq!(fired.matches(operation).count(), times, "{operation}: {fired}");
    }
}

fn id(number: u64) -> AlertId {
    AlertId::from_u128(u128::from(number))
}

fn delivered(alert: u64, name: &str) -> SettledDelivery {
    SettledDelivery {
        alert: id(alert),
        output: output(name),
        outcome: DeliveryOutcome::delivered(1),
    }
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_lost_reply_of_any_write_of_alerts_changes_no_answer() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let Some(pair) = pair(emulator, PATIENT).await else {
        return;
    };
    let store = &pair.faulty;
    pair.lose_reply("PutItem").await;
    let alerts = vec![stored(1, &["a:x"], Some(7)), stored(2, &[], Some(7))];
    let accepted = store.accept(fence(3, 0), alerts.clone()).await;
    assert_eq!(accepted, Ok(vec![Accepted::New, Accepted::New]));
    pair.assert_fired(1, "PutItem").await;
    let again = pair.direct.accept(fence(3, 0), alerts).await;
    assert_eq!(again, Ok(vec![Accepted::Duplicate, Accepted::Duplicate]));

    pair.lose_reply("UpdateItem").await;
    store
        .settle(fence(3, 0), vec![delivered(1, "a:x")], moment(50))
        .await
        .unwrap();
    pair.assert_fired(1, "UpdateItem").await;
    let view = pair.direct.view(id(1)).await.unwrap().unwrap();
    assert_eq!((view.pending.len(), view.settled.len()), (0, 1));

    pair.lose_reply("TransactWriteItems").await;
    let group = GroupId::from_u128(7);
    let (members, merged) = (vec![id(1), id(2)], stored(100, &["b:y"], None));
    let closed = store
        .close_group(fence(3, 0), group, members, Some(merged), moment(60))
        .await;
    assert_eq!(closed, Ok(Accepted::New));
    pair.assert_fired(1, "TransactWriteItems").await;
    assert!(pair.direct.grouped(SHARD, None, 10).await.unwrap().is_empty());
    assert_eq!(
        pair.direct.backlog(SHARD).await.unwrap(),
        [(output("b:y"), 1)].into()
    );
}

#[tokio::test]
async fn a_lost_reply_of_any_write_of_leases_letters_and_checkpoints_changes_no_answer() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let Some(pair) = pair(emulator, PATIENT).await else {
        return;
    };
    let store = &pair.faulty;
    let leases = ["merger/3", "kinesis/s/1"].map(Lease::free);
    pair.lose_reply("PutItem").await;
    store.create(leases.to_vec()).await.unwrap();
    for (lease, operation) in leases.iter().zip(["TransactWriteItems", "UpdateItem"]) {
        pair.lose_reply(operation).await;
        let taken = store.take(lease, "a", None, moment(1)).await.unwrap();
        let LeaseAnswer::Written(held) = taken else {
            panic!("{operation}: {taken:?}")
        };
        assert_eq!(
            (held.owner.as_deref(), held.epoch, held.counter),
            (Some("a"), 1, 1)
        );
        pair.lose_reply("UpdateItem").await;
        let renewed = store.renew(&held, moment(2)).await.unwrap();
        assert!(matches!(renewed, LeaseAnswer::Written(_)), "{renewed:?}");
        let rival = pair.direct.take(lease, "b", None, moment(3)).await.unwrap();
        assert!(matches!(rival, LeaseAnswer::Refused(Some(_))), "{rival:?}");
    }
    let refused = store.accept(fence(3, 0), Vec::new()).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { current: 1, .. })),
        "{refused:?}"
    );

    let letter = DeadLetter {
        id: DeadLetterId::from_u128(9),
        created: moment(1),
        kind: DeadLetterKind::Undelivered {
            alert: id(1),
            rule: "rule".into(),
            output: output("a:x"),
            attempts: 3,
        },
        reason: "gone".to_owned(),
        body: Bytes::from_static(b"body"),
        truncated: false,
    };
    pair.lose_reply("PutItem").await;
    DeadLetterStore::put(store, vec![letter.clone()]).await.unwrap();
    assert_eq!(store.count().await, Ok(1));
    pair.lose_reply("DeleteItem").await;
    DeadLetterStore::remove(store, &[letter.id]).await.unwrap();
    let left = DeadLetterStore::list(store, &DeadLetterFilter::default(), None, 9).await;
    assert_eq!(left, Ok(Vec::new()));

    let checkpoint = Checkpoint {
        sequence: "7".to_owned(),
        finished: false,
        updated: moment(1),
        expires: Some(moment(2)),
    };
    pair.lose_reply("PutItem").await;
    CheckpointStore::put(store, "s3:b", vec![("p".to_owned(), checkpoint.clone())])
        .await
        .unwrap();
    assert_eq!(
        CheckpointStore::get(store, "s3:b", "p").await,
        Ok(Some(checkpoint))
    );
    pair.assert_fired(3, "PutItem").await;
}

#[tokio::test]
async fn throttling_slows_a_write_and_refuses_it_in_the_end_with_nothing_written() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let throttle = |times: &str| {
        format!(
            r#"[{{"service": "dynamodb", "operation": "PutItem", {times} "error": {{"code": "ProvisionedThroughputExceededException"}}}}]"#
        )
    };
    let Some(patient) = pair(emulator, PATIENT).await else {
        return;
    };
    let patient = patient.warmed().await;
    patient.proxy.add_rules(&throttle(r#""times": 6,"#)).await;
    let alerts = (1..=4).map(|number| stored(number, &["a:x"], None)).collect();
    let accepted = patient.faulty.accept(fence(3, 0), alerts).await;
    assert_eq!(accepted, Ok(vec![Accepted::New; 4]));
    patient.assert_fired(6, "PutItem").await;

    let Some(hasty) = pair(emulator, Duration::from_millis(50)).await else {
        return;
    };
    let hasty = hasty.warmed().await;
    hasty.proxy.add_rules(&throttle("")).await;
    let busy = hasty
        .faulty
        .accept(fence(3, 0), vec![stored(1, &["a:x"], None)])
        .await;
    assert!(
        matches!(&busy, Err(StoreError::Busy { reason }) if reason.contains("dynamodb:PutItem")),
        "{busy:?}"
    );
    assert!(hasty.direct.view(id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_denied_permission_names_the_action() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let Some(pair) = pair(emulator, PATIENT).await else {
        return;
    };
    let pair = pair.warmed().await;
    let rule = r#"[{"service": "dynamodb", "operation": "Query", "error": {"code": "AccessDeniedException", "status": 400}}]"#;
    pair.proxy.add_rules(rule).await;
    let denied = pair.faulty.backlog(SHARD).await.unwrap_err();
    assert!(
        !denied.is_retryable() && denied.to_string().contains("allow dynamodb:Query"),
        "{denied}"
    );
}

#[tokio::test]
async fn a_write_that_ends_after_a_takeover_is_fenced_and_adopted() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let Some(pair) = pair(emulator, PATIENT).await else {
        return;
    };
    let rule = r#"[{"service": "dynamodb", "operation": "PutItem", "times": 1, "latency": 4000}]"#;
    pair.proxy.add_rules(rule).await;
    let old = pair.faulty.clone();
    let alerts = vec![stored(1, &["a:x"], Some(7))];
    let late = tokio::spawn({
        let alerts = alerts.clone();
        async move { old.accept(fence(3, 1), alerts).await }
    });
    pair.proxy.wait_until_fired("PutItem").await;
    // The new owner loads the shard before the late write is there.
    pair.direct.accept(fence(3, 2), Vec::new()).await.unwrap();
    assert!(pair.direct.grouped(SHARD, None, 9).await.unwrap().is_empty());

    let fenced = late.await.unwrap();
    assert!(
        matches!(fenced, Err(StoreError::Fenced { current: 2, .. })),
        "{fenced:?}"
    );
    let StoredAlert { pending, group, .. } = alerts[0].clone();
    let adopted = pair.direct.accept(fence(3, 2), alerts).await;
    assert_eq!(adopted, Ok(vec![Accepted::Adopted { pending, group }]));
}

#[tokio::test]
async fn a_closing_that_was_cut_short_is_finished_by_whoever_loads_the_shard() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let Some(pair) = pair(emulator, Duration::from_millis(50)).await else {
        return;
    };
    let pair = pair.warmed().await;
    let members = (1..=3).map(|number| stored(number, &[], Some(7))).collect();
    pair.direct.accept(fence(3, 1), members).await.unwrap();
    let rule =
        r#"[{"service": "dynamodb", "operation": "UpdateItem", "error": {"code": "ThrottlingException"}}]"#;
    pair.proxy.add_rules(rule).await;
    let close = |store: DynamoStore, members: &'static [u64]| async move {
        let (group, members) = (
            GroupId::from_u128(7),
            members.iter().map(|number| id(*number)).collect(),
        );
        let merged = stored(100, &["b:y"], None);
        store
            .close_group(fence(3, 1), group, members, Some(merged), moment(60))
            .await
    };
    let cut = close(pair.faulty.clone(), &[1, 2]).await;
    assert!(cut.as_ref().is_err_and(StoreError::may_have_happened), "{cut:?}");
    let view = pair.direct.view(id(1)).await.unwrap().unwrap();
    assert!(view.group.is_some(), "the members have not left yet");

    let left = pair.direct.grouped(SHARD, None, 9).await.unwrap();
    let left: Vec<_> = left.iter().map(|stored| stored.alert.id).collect();
    assert_eq!(left, [id(3)], "those merged have left");
    let view = pair.direct.view(id(1)).await.unwrap().unwrap();
    assert_eq!(view.state, AlertState::Settled { expires: moment(60) });

    // A second closing of the same group with one more: that one is in no merged alert and must stay.
    let again = close(pair.direct.clone(), &[1, 2, 3]).await;
    assert_eq!(again, Ok(Accepted::Duplicate));
    assert_eq!(pair.direct.grouped(SHARD, None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn tables_are_made_once_and_others_are_refused() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let config = emulator.config(&account()).await;
    let store = DynamoStore::new(options(config.clone(), ManualClock::default()));
    let missing = store.accept(fence(3, 1), Vec::new()).await.unwrap_err();
    assert!(
        matches!(&missing, StoreError::Refused { reason } if reason.contains("`streamalert aws init`")),
        "{missing}"
    );
    let capacity = Capacity::Provisioned {
        read_units: 5,
        write_units: 5,
    };
    let made = store.create_tables(capacity).await.unwrap();
    assert!(made.len() == 4 && made.iter().all(|table| table.new), "{made:?}");
    let made = store.create_tables(Capacity::OnDemand).await.unwrap();
    assert!(made.len() == 4 && made.iter().all(|table| !table.new), "{made:?}");

    let client = aws_sdk_dynamodb::Client::new(&config);
    for table in &made {
        let described = client.describe_table().table_name(&table.name).send().await;
        let described = described.unwrap().table.unwrap();
        let units = described.provisioned_throughput.unwrap();
        assert_eq!(
            (units.read_capacity_units, units.write_capacity_units),
            (Some(5), Some(5)),
            "{} is left as it was made",
            table.name
        );
        let ttl = client
            .describe_time_to_live()
            .table_name(&table.name)
            .send()
            .await
            .unwrap();
        let by = ttl.time_to_live_description.and_then(|ttl| ttl.attribute_name);
        let expires = table.name.ends_with("alerts") || table.name.ends_with("checkpoints");
        assert_eq!(by.is_some(), expires, "{}", table.name);
    }
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash);
    let attribute = AttributeDefinition::builder().attribute_name("pk");
    client
        .create_table()
        .table_name("other-leases")
        .key_schema(key.build().unwrap())
        .attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    let mut other = options(config, ManualClock::default());
    other.prefix = "other".to_owned();
    let refused = DynamoStore::new(other)
        .create_tables(Capacity::OnDemand)
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("other-leases is there and is not ours"),
        "{refused}"
    );
}

#[tokio::test]
async fn missing_credentials_are_told_as_such() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let provider = SharedCredentialsProvider::new(Nobody);
    let config = emulator.config(&account()).await.into_builder();
    let config = config.credentials_provider(provider).build();
    let store = DynamoStore::new(options(config, ManualClock::default()));
    let refused = store.accept(fence(3, 1), Vec::new()).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Refused { reason } if reason.contains("no valid credentials")),
        "{refused}"
    );
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nobody is here")))
    }
}

#[tokio::test]
async fn a_lease_table_of_a_newer_version_is_refused() {
    let Some(emulator) = dynamodb_local().await else {
        return;
    };
    let config = emulator.config(&account()).await;
    let store = DynamoStore::new(options(config.clone(), ManualClock::default()));
    store.create_tables(Capacity::OnDemand).await.unwrap();
    aws_sdk_dynamodb::Client::new(&config)
        .put_item()
        .table_name("streamalert-leases")
        .item("leaseKey", AttributeValue::S("merger/1".to_owned()))
        .item("leaseCounter", AttributeValue::N("1".to_owned()))
        .item("layout", AttributeValue::N("2".to_owned()))
        .send()
        .await
        .unwrap();
    let newer = LeaseStore::list(&store, "merger/").await.unwrap_err().to_string();
    assert!(newer.contains("newer version"), "{newer}");
}

#[tokio::test]
async fn a_body_that_no_item_holds_goes_to_the_bucket_or_is_refused() {
    let Some(emulator) = ministack().await else { return };
    let config = emulator.config(&account()).await;
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("bodies").send().await.unwrap();
    let mut large = options(config.clone(), ManualClock::default());
    large.bucket = Some("bodies".to_owned());
    let store = DynamoStore::new(large);
    store.create_tables(Capacity::OnDemand).await.unwrap();

    let record = format!("{{\"text\":\"{}\"}}", "x".repeat(600_000));
    let big = || StoredAlert {
        alert: std::sync::Arc::new(Alert {
            record: Bytes::from(record.clone()),
            ..(*alert(1)).clone()
        }),
        ..stored(1, &["a:x"], None)
    };
    assert_eq!(
        store.accept(fence(3, 1), vec![big()]).await,
        Ok(vec![Accepted::New])
    );
    let page = store
        .pending(SHARD, &output("a:x"), None, 9, usize::MAX)
        .await
        .unwrap();
    assert_eq!(page[0].alert.record.len(), record.len());
    store
        .settle(fence(3, 1), vec![delivered(1, "a:x")], moment(50))
        .await
        .unwrap();

    let without = DynamoStore::new(options(config, ManualClock::default()));
    let refused = without.accept(fence(4, 1), vec![big()]).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Refused { reason } if reason.contains("no bucket is set")),
        "{refused}"
    );
}
