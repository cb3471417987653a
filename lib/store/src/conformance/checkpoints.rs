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
        expires: None,
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
    removal(&store, at("4", true)).await;
}

/// A partition that is read once leaves nothing behind: it is removed, or expires.
async fn removal<S: CheckpointStore>(store: &S, checkpoint: Checkpoint) {
    // Not in the past: a store may forget by its own clock.
    let far = |second: i64| moment(4_000_000_000 + second);
    let until = |second| Checkpoint {
        expires: Some(far(second)),
        ..checkpoint.clone()
    };
    let rows = [("a", until(50)), ("b", until(60)), ("c", checkpoint.clone())];
    let rows = rows.map(|(partition, checkpoint)| (partition.to_owned(), checkpoint));
    for source in ["s3:once", "s3:oncea"] {
        store.put(source, rows.to_vec()).await.expect(WORKS);
    }
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(store.list("s3:once").await, Ok(rows.to_vec()), "with their ends");
    store
        .remove("s3:once", &names(&["a", "unknown"]))
        .await
        .expect(WORKS);
    store.remove("s3:once", &names(&["a"])).await.expect(WORKS);
    store.remove("s3:none", &names(&["a"])).await.expect(WORKS);
    assert_eq!(store.list("s3:once").await, Ok(rows[1..].to_vec()));
    assert_eq!(store.expire("s3:once", far(59)).await, Ok(0));
    let expired = store.expire("s3:once", far(60)).await.expect(WORKS);
    let left = store.list("s3:once").await.expect(WORKS);
    // A store that forgets by itself does so in its own time.
    let expected = if expired == 0 { &rows[1..] } else { &rows[2..] };
    assert_eq!((left.as_slice(), expired < 2), (expected, true));
    assert_eq!(
        store.list("s3:oncea").await.expect(WORKS),
        rows,
        "of the source that was named"
    );
}
