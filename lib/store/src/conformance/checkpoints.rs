use super::fixtures::moment;
use crate::{Checkpoint, CheckpointStore};

const WORKS: &str = "the store works";

/// Checkpoints: by source and partition, the last one counts.
pub async fn checkpoints<S: CheckpointStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    let at = |sequence: &str, finished| Checkpoint {
        sequence: sequence.to_owned(),
        finished,
        updated: moment(1),
    };
    let named = |partition: &str, checkpoint| (partition.to_owned(), checkpoint);
    assert_eq!(store.get("s3:b", "p").await, Ok(None));
    assert_eq!(store.list("s3:b").await, Ok(Vec::new()));
    store
        .put(
            "s3:b",
            vec![named("p", at("1", false)), named("q", at("7", true))],
        )
        .await
        .expect(WORKS);
    store
        .put("s3:b", vec![named("p", at("2", false))])
        .await
        .expect(WORKS);
    store
        .put("s3:bb", vec![named("p", at("3", false))])
        .await
        .expect(WORKS);
    store.put("s3:b", Vec::new()).await.expect(WORKS);
    assert_eq!(store.get("s3:b", "p").await, Ok(Some(at("2", false))));
    assert_eq!(store.get("s3:b", "q").await, Ok(Some(at("7", true))));
    let listed = store.list("s3:b").await.expect(WORKS);
    assert_eq!(listed, [named("p", at("2", false)), named("q", at("7", true))]);
    store
        .put("s3:b", vec![named("p", at("0", false))])
        .await
        .expect(WORKS);
    assert_eq!(
        store.get("s3:b", "p").await,
        Ok(Some(at("0", false))),
        "also backwards: the reader decides"
    );
}
