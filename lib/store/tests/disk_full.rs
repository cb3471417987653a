//! A real file system that is full: where a tmpfs can be mounted.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stderr, reason = "says that it was skipped")]

use std::fs;
use std::path::Path;
use std::process::Command;

use streamalert_store::conformance::{fence, stored};
use streamalert_store::{AlertFilter, AlertStore, EmbeddedOptions, EmbeddedStore, StoreError};

struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(dir: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(dir)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

async fn accept(store: &EmbeddedStore, from: u64) -> Result<(), StoreError> {
    let batch = (from..from + 1_000)
        .map(|number| stored(number, &["a:x"], None))
        .collect();
    store.accept(fence(3, 1), batch).await.map(drop)
}

async fn known(store: &EmbeddedStore) -> usize {
    store
        .list(&AlertFilter::default(), usize::MAX)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_full_file_system_refuses_writes_and_takes_them_again_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(dir.path()) else {
        eprintln!("skipped: no tmpfs can be mounted here");
        return;
    };
    let store = EmbeddedStore::open(EmbeddedOptions::new(mount.0.join("data"))).unwrap();
    accept(&store, 0).await.unwrap();
    // Something else takes the space, all but a megabyte.
    let hog = mount.0.join("hog");
    let mut file = fs::File::create(&hog).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4_096]).is_ok() {}
    file.set_len(file.metadata().unwrap().len() - (1 << 20)).unwrap();

    let mut next = 1_000;
    let refused = loop {
        match accept(&store, next).await {
            Ok(()) => next += 1_000,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert_eq!(
        known(&store).await as u64,
        next,
        "nothing of the refused batch is there, all before it is"
    );
    for _ in 0..3 {
        let again = accept(&store, next).await;
        assert!(matches!(again, Err(StoreError::Full { .. })), "{again:?}");
    }
    assert_eq!(known(&store).await as u64, next, "reading goes on");

    fs::remove_file(&hog).unwrap();
    drop(file);
    accept(&store, next).await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(EmbeddedOptions::new(mount.0.join("data"))).unwrap();
    assert_eq!(known(&store).await as u64, next + 1_000);
}
