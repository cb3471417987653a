//! Opening the embedded store: what it refuses, and that it never replaces a file.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use streamalert_store::conformance::{fence, stored};
use streamalert_store::{AlertStore, EmbeddedOptions, EmbeddedStore, OpenError};

fn open(dir: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(EmbeddedOptions::new(dir))
}

type Damage = fn(&Path);

async fn fill(dir: &Path) {
    let store = open(dir).unwrap();
    let alerts = (0..500).map(|number| stored(number, &["a:x"], None)).collect();
    store.accept(fence(1, 1), alerts).await.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_created_with_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    fill(&deep).await;
    let store = open(&deep).unwrap();
    assert_eq!(
        store
            .backlog(streamalert_store::ShardId(1))
            .await
            .unwrap()
            .values()
            .sum::<u64>(),
        500
    );
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Locked { dir: locked } if locked == dir.path()),
        "{error:?}"
    );
    assert!(error.to_string().contains(&dir.path().display().to_string()));
    drop(first);
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let damages: [(&str, Damage); 6] = [
        ("empty", |path| fs::write(path, b"").unwrap()),
        ("another format", |path| {
            fs::write(path, b"SQLite format 3\0 and more").unwrap()
        }),
        ("zeros", |path| fs::write(path, vec![0; 100_000]).unwrap()),
        ("cut short", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
        }),
        ("a header that was overwritten", |path| overwrite(path, 0, 64)),
        ("a page that was overwritten", |path| {
            let offset = find(path, b"cloudtrail:events");
            overwrite(path, offset, 8);
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        let path = dir.path().join("store.redb");
        damage(&path);
        let before = fs::read(&path).unwrap();
        let error = open(dir.path()).expect_err(name);
        assert!(matches!(error, OpenError::Corrupt { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("store.redb"), "{name}: {error}");
        assert_eq!(
            fs::read(&path).unwrap().len(),
            before.len(),
            "{name}: the file is not replaced"
        );
        assert!(open(dir.path()).is_err(), "{name}: still refused");
    }
}

#[test]
fn a_database_of_someone_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(redb::Database::create(dir.path().join("store.redb")).unwrap());
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[test]
fn a_file_of_a_later_release_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = redb::Database::create(dir.path().join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::Version {
                found: 2,
                expected: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let error = open(&dir.path().join("file/store")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_whose_creation_was_interrupted_is_created_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store.redb.new"), b"half a store").unwrap();
    fill(dir.path()).await;
    assert!(!dir.path().join("store.redb.new").exists());
}

fn overwrite(path: &Path, offset: u64, count: usize) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&vec![0xa5; count]).unwrap();
}

fn find(path: &Path, needle: &[u8]) -> u64 {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap() as u64
}
