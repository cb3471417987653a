use bytes::Bytes;
use streamalert_value::{Map, Value};

use super::*;

fn alert(id: u128, keys: &[&str], record: &'static str) -> Arc<Alert> {
    Arc::new(Alert {
        id: AlertId::from_u128(id),
        rule_name: "r".into(),
        rule_description: "".into(),
        created: streamalert_types::Timestamp::EPOCH,
        cluster: None,
        log_source: "l:s".into(),
        log_type: "json".into(),
        source_entity: "e".into(),
        source_service: "s".into(),
        outputs: [].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        merge_window_mins: 5,
        staged: false,
        record: Bytes::from_static(record.as_bytes()),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: streamalert_types::Merging::default(),
    })
}

/// Alerts lie in the store by shard, and nodes of two versions route to each other.
#[test]
fn alerts_keep_the_shards_that_they_have_always_had() {
    let mut router = Router::new(256);
    let mut shard = |alert| router.route(alert).0.shard.0;
    assert_eq!(shard(alert(7, &[], "{}")), 7);
    assert_eq!(shard(alert(0x1234_5678, &[], "{}")), 0x78);
    let grouped = [
        shard(alert(1, &["k"], r#"{"k":"a"}"#)),
        shard(alert(2, &["k"], r#"{"k":"b"}"#)),
        shard(alert(3, &["k", "l"], r#"{"k":1.5,"l":[null]}"#)),
    ];
    assert_eq!(grouped, [158, 42, 120]);
}

#[test]
fn alerts_of_one_merge_key_share_a_shard_whatever_their_ids() {
    let mut router = Router::new(256);
    let mut place = |alert| {
        let routed = router.route(alert).0;
        (routed.shard, routed.group.unwrap().group)
    };
    let one = place(alert(1, &["k"], r#"{"k":1,"n":1}"#));
    assert_eq!(one, place(alert(99, &["k"], r#"{"n":2,"k":1.0}"#)));
    assert_ne!(one.1, place(alert(1, &["k"], r#"{"k":2}"#)).1);
}

#[test]
fn an_alert_whose_record_cannot_be_read_goes_where_its_id_says() {
    let (routed, problem) = Router::new(16).route(alert(35, &["k"], "{"));
    assert_eq!(routed.shard, ShardId(3));
    assert!(routed.group.is_none() && problem.is_some());
}

#[test]
fn every_shard_is_below_the_number_of_shards() {
    for shards in [0, 1, 3, 255, u16::MAX] {
        let mut router = Router::new(shards);
        for id in [0, 1, u128::MAX, u128::MAX / 3] {
            let shard = router.route(alert(id, &[], "{}")).0.shard;
            assert!(shard.0 < shards.max(1));
        }
    }
}
