use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::OutputFields;

fn options(dir: &TempDir) -> FileStoreOptions {
    FileStoreOptions {
        file: dir.path().join("data/secrets.enc"),
        key_file: dir.path().join("data/secrets.key"),
        key: None,
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn secrets_are_kept_by_name_and_nobody_else_reads_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::new(options(&dir));
    assert_eq!(store.get(&name("a")).await.unwrap(), None);
    assert!(!store.remove(&name("a")).await.unwrap());
    assert_eq!(store.list().await.unwrap(), []);
    // Looking has made neither file nor key.
    assert!(!options(&dir).file.exists() && !options(&dir).key_file.exists());
    store.put(&name("a"), &secret("planted-one")).await.unwrap();
    store.put(&name("team/b"), &secret("planted-two")).await.unwrap();
    let other = FileStore::new(options(&dir));
    assert_eq!(
        other.get(&name("a")).await.unwrap().unwrap().expose(),
        "planted-one"
    );
    assert_eq!(other.list().await.unwrap(), [name("a"), name("team/b")]);
    assert_eq!(
        (mode(&options(&dir).file), mode(&options(&dir).key_file)),
        (0o600, 0o600)
    );
    for entry in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("planted"));
    }
    assert!(other.remove(&name("a")).await.unwrap());
    assert_eq!(store.list().await.unwrap(), [name("team/b")]);
}

#[tokio::test]
async fn fields_of_outputs_are_kept_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::new(options(&dir));
    let output = "slack:security".parse().unwrap();
    assert_eq!(store.get_output(&output).await.unwrap(), None);
    let fields = serde_json::json!({"url": "https://example.com", "n": 7});
    let fields = OutputFields::new(fields.as_object().unwrap().clone());
    store.put_output(&output, &fields).await.unwrap();
    store.put(&name("other"), &secret("x")).await.unwrap();
    assert_eq!(store.get_output(&output).await.unwrap(), Some(fields));
    assert_eq!(store.list_outputs().await.unwrap(), std::slice::from_ref(&output));
    assert!(store.remove_output(&output).await.unwrap());
    assert!(!store.remove_output(&output).await.unwrap());
}

#[tokio::test]
async fn a_key_that_is_wrong_missing_or_open_to_others_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(&dir);
    let store = FileStore::new(options.clone());
    store.put(&name("a"), &secret("planted")).await.unwrap();
    let told = async |options: FileStoreOptions| {
        let store = FileStore::new(options);
        let error = store.get(&name("a")).await.unwrap_err().to_string();
        // What cannot be read is not written over.
        assert!(store.put(&name("a"), &secret("new")).await.is_err());
        error
    };
    let with_key = |key: &str| FileStoreOptions {
        key: Some(secret(key)),
        ..options.clone()
    };
    let error = told(with_key(&"ab".repeat(32))).await;
    assert!(error.contains("was encrypted with another key"), "{error}");
    let error = told(with_key("planted")).await;
    assert_eq!(
        error,
        "STREAMALERT_SECRETS_KEY is no key: expected 64 hexadecimal digits"
    );
    std::fs::set_permissions(&options.key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = told(options.clone()).await;
    assert!(error.contains("secrets.key can be read by others"), "{error}");
    let key = std::fs::read_to_string(&options.key_file).unwrap();
    std::fs::remove_file(&options.key_file).unwrap();
    let error = told(options.clone()).await;
    assert!(
        error.contains("secrets.enc has no key") && error.contains("secrets.key is there"),
        "{error}"
    );
    let store = FileStore::new(with_key(key.trim()));
    assert_eq!(store.get(&name("a")).await.unwrap(), Some(secret("planted")));
}

#[tokio::test]
async fn a_file_that_is_damaged_foreign_or_newer_is_told_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(&dir);
    let store = FileStore::new(options.clone());
    store.put(&name("a"), &secret("planted")).await.unwrap();
    let whole = std::fs::read(&options.file).unwrap();
    let mut newer = whole.clone();
    newer[20] = 9;
    let mut damaged = whole.clone();
    damaged[60] ^= 1;
    for (bytes, why) in [
        (newer, "was written by a newer version (format 9"),
        (damaged, "is damaged"),
        (whole[..whole.len() - 1].to_vec(), "is damaged"),
        (b"[outputs]".to_vec(), "is no secrets file"),
        (Vec::new(), "is no secrets file"),
    ] {
        std::fs::write(&options.file, &bytes).unwrap();
        for error in [
            store.get(&name("a")).await.unwrap_err(),
            store.put(&name("b"), &secret("x")).await.unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("secrets.enc") && error.contains(why), "{error}");
        }
        assert_eq!(std::fs::read(&options.file).unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_the_same_time_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writers = (0..16).map(|n| {
        let store = FileStore::new(options(&dir));
        tokio::spawn(async move { store.put(&name(&format!("n{n:02}")), &secret("x")).await.unwrap() })
    });
    futures::future::join_all(writers)
        .await
        .into_iter()
        .for_each(Result::unwrap);
    let names = FileStore::new(options(&dir)).list().await.unwrap();
    assert_eq!(names.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_for_long_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(&dir);
    std::fs::create_dir_all(options.file.parent().unwrap()).unwrap();
    let holder = File::create(beside(&options.file, "lock")).unwrap();
    holder.lock().unwrap();
    let error = FileStore::new(options)
        .put(&name("a"), &secret("x"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("is being written by another process"), "{error}");
}
