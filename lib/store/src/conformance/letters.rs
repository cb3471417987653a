use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{
    AlertId, DataType, DeadLetter, DeadLetterId, DeadLetterKind, NearestSchema, Position, Sequence, Source,
    Timestamp,
};

use super::fixtures::{moment, output};
use crate::{DeadLetterFilter, DeadLetterStore, StoreError};

const WORKS: &str = "the store works";

fn letter(number: u64, body: &'static [u8]) -> DeadLetter {
    let source = Arc::new(Source {
        service: "s3".into(),
        resource: "bucket".into(),
        cluster: None,
    });
    let position = Position {
        partition: "object".into(),
        sequence: Sequence::Offset(number),
    };
    let kind = match number % 3 {
        0 => DeadLetterKind::Unclassified {
            source,
            position,
            sub: Some(2),
            nearest: Some(NearestSchema {
                log_type: "a:b".to_owned(),
                ..NearestSchema::default()
            }),
        },
        1 => DeadLetterKind::RuleFailure {
            log_type: "a:b".into(),
            data_type: DataType::Json,
            source,
            position,
            sub: 0,
            rule: "rule".into(),
        },
        _ => DeadLetterKind::Undelivered {
            alert: AlertId::from_u128(8),
            rule: "rule".into(),
            output: output("a:x"),
            attempts: 3,
        },
    };
    DeadLetter {
        id: DeadLetterId::from_u128(u128::from(number)),
        created: moment(number as i64),
        kind,
        reason: "no schema".to_owned(),
        body: Bytes::from_static(body),
        truncated: number == 4,
    }
}

async fn list(
    store: &impl DeadLetterStore,
    kind: Option<&str>,
    since: Option<Timestamp>,
    after: Option<u64>,
    items_max: usize,
) -> Vec<u64> {
    let filter = DeadLetterFilter {
        kind: kind.map(str::to_owned),
        since,
    };
    let after = after.map(|number| (moment(number as i64), DeadLetterId::from_u128(u128::from(number))));
    let letters = store.list(&filter, after, items_max).await.expect(WORKS);
    letters.iter().map(|letter| letter.id.as_u128() as u64).collect()
}

/// Dead letters: kept whole, listed by kind and time, and forgotten.
pub async fn letters<S: DeadLetterStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    store
        .put([5, 1, 4, 2, 3].map(|number| letter(number, b"body")).to_vec())
        .await
        .expect(WORKS);
    store
        .put(vec![letter(1, b"other"), letter(6, b"body"), letter(6, b"again")])
        .await
        .expect(WORKS);
    assert_eq!(store.count().await, Ok(6));
    assert_eq!(
        store.get(letter(1, b"").id).await,
        Ok(Some(letter(1, b"body"))),
        "the first put counts"
    );
    assert_eq!(store.get(letter(6, b"").id).await, Ok(Some(letter(6, b"body"))));
    assert_eq!(store.get(letter(7, b"").id).await, Ok(None));

    assert_eq!(
        list(&store, None, None, None, 9).await,
        [1, 2, 3, 4, 5, 6],
        "oldest first"
    );
    assert_eq!(list(&store, None, None, Some(2), 2).await, [3, 4]);
    assert_eq!(list(&store, Some("unclassified"), None, None, 9).await, [3, 6]);
    assert_eq!(list(&store, Some("rule"), None, Some(1), 9).await, [4]);
    assert_eq!(
        list(&store, Some("undelivered"), Some(moment(3)), None, 9).await,
        [5]
    );
    assert_eq!(
        list(&store, Some("nonsense"), None, None, 9).await,
        Vec::<u64>::new()
    );
    assert_eq!(
        list(&store, None, Some(moment(5)), Some(1), 9).await,
        [5, 6],
        "the later bound counts"
    );

    store
        .remove(&[letter(3, b"").id, letter(9, b"").id, letter(3, b"").id])
        .await
        .expect(WORKS);
    assert_eq!(store.count().await, Ok(5));
    assert_eq!(list(&store, Some("unclassified"), None, None, 9).await, [6]);
    assert_eq!(
        list(&store, None, None, Some(2), 1).await,
        [4],
        "going on after one that is gone"
    );
}

/// Dead letters of a store on a disk are bounded. `fresh` makes one that holds at most the bytes given.
pub async fn bounded_letters<S: DeadLetterStore>(fresh: impl AsyncFn(u64) -> S) {
    let store = fresh(3_000).await;
    store
        .put(vec![letter(1, &[7; 1_000])])
        .await
        .expect("1,512 of 3,000 bytes");
    let full = store.put(vec![letter(2, b"x"), letter(3, &[7; 1_000])]).await;
    assert!(
        matches!(full, Err(StoreError::Full { .. })),
        "2,025 more: {full:?}"
    );
    assert_eq!(store.count().await, Ok(1), "all of them or none");
    store
        .put(vec![letter(1, &[7; 3_000])])
        .await
        .expect("what is known needs no room");
    store.remove(&[letter(1, b"").id]).await.expect(WORKS);
    store
        .put(vec![letter(2, b"x"), letter(3, &[7; 1_000])])
        .await
        .expect("there is room again");
}
