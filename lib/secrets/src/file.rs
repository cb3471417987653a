mod format;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub use self::format::FormatError;
use self::format::{Key, open, seal};
use crate::{Secret, SecretError, SecretName, SecretStore};

/// The environment variable that holds the key of the secrets file, instead of a key file.
pub const KEY_VARIABLE: &str = "STREAMALERT_SECRETS_KEY";

/// A secrets file holds credentials; a larger one is something else.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How long another process may take to write the file, which it does in an instant.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at the lock.
const LOCK_EVERY: Duration = Duration::from_millis(50);

/// Where the encrypted file and its key are.
#[derive(Debug, Clone)]
pub struct FileStoreOptions {
    /// The encrypted file; made when the first secret is put.
    pub file: PathBuf,
    /// The file with its key, 64 hexadecimal digits; made, readable for its owner only, when the first secret is put.
    pub key_file: PathBuf,
    /// The key itself, from [`KEY_VARIABLE`]; then the key file is not looked at.
    pub key: Option<Secret>,
}

/// Why the encrypted file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileStoreError {
    /// Reading or writing failed.
    #[error("{} {doing}: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What cannot be done.
        doing: &'static str,
        /// Why.
        reason: String,
    },
    /// There are secrets, and no key.
    #[error("secrets file {} has no key: neither {KEY_VARIABLE} nor {} is there", file.display(), key_file.display())]
    NoKey {
        /// The encrypted file.
        file: PathBuf,
        /// Where its key should be.
        key_file: PathBuf,
    },
    /// The key is no key.
    #[error("{place} is no key: expected 64 hexadecimal digits")]
    BadKey {
        /// The key file or variable.
        place: String,
    },
    /// Others than its owner can read the key file.
    #[error("key file {} can be read by others: `chmod 600` it, and think of the secrets as known", .0.display())]
    OpenKey(PathBuf),
    /// The file cannot be decrypted.
    #[error("secrets file {} {error}", file.display())]
    Format {
        /// The encrypted file.
        file: PathBuf,
        /// Why.
        error: FormatError,
    },
    /// Another process has held the lock for long.
    #[error("secrets file {} is being written by another process", .0.display())]
    Busy(PathBuf),
}

fn io_error(file: &Path, doing: &'static str, error: &io::Error) -> FileStoreError {
    FileStoreError::Io {
        file: file.to_owned(),
        doing,
        reason: error.to_string(),
    }
}

/// Secrets in one file, encrypted with AES-256-GCM. It is replaced as a whole, so that a reader never sees half of it,
/// and written by one process at a time.
#[derive(Clone)]
pub struct FileStore {
    options: Arc<FileStoreOptions>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.options.file).finish()
    }
}

type Entries = BTreeMap<String, Secret>;

/// Another process writes.
enum Attempt<T> {
    Done(T),
    Locked,
}

impl FileStore {
    /// Reads and writes nothing yet.
    #[must_use]
    pub fn new(options: FileStoreOptions) -> Self {
        let options = Arc::new(options);
        Self { options }
    }

    async fn read(&self) -> Result<Entries, FileStoreError> {
        let options = Arc::clone(&self.options);
        blocking(&self.options, move || {
            options.entries().map(|found| found.unwrap_or_default())
        })
        .await
    }

    /// Changes the entries; `change` tells whether there is something to write.
    async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&mut Entries) -> (bool, T) + Clone + Send + 'static,
    ) -> Result<T, FileStoreError> {
        let attempts = LOCK_PATIENCE.as_millis() / LOCK_EVERY.as_millis();
        for _ in 0..attempts {
            let (options, change) = (Arc::clone(&self.options), change.clone());
            match blocking(&self.options, move || options.change(&change)).await? {
                Attempt::Done(value) => return Ok(value),
                Attempt::Locked => tokio::time::sleep(LOCK_EVERY).await,
            }
        }
        Err(FileStoreError::Busy(self.options.file.clone()))
    }
}

async fn blocking<T: Send + 'static>(
    options: &FileStoreOptions,
    work: impl FnOnce() -> Result<T, FileStoreError> + Send + 'static,
) -> Result<T, FileStoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io_error(
            &options.file,
            "cannot be used",
            &io::Error::other(error),
        )),
    }
}

impl FileStoreOptions {
    /// What the file holds; `None` when there is none.
    fn entries(&self) -> Result<Option<Entries>, FileStoreError> {
        let Some(sealed) = read_file(&self.file, FILE_BYTES_MAX)? else {
            return Ok(None);
        };
        let Some(key) = self.key()? else {
            return Err(FileStoreError::NoKey {
                file: self.file.clone(),
                key_file: self.key_file.clone(),
            });
        };
        let format = |error| FileStoreError::Format {
            file: self.file.clone(),
            error,
        };
        let plain = open(&key, &sealed).map_err(format)?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| format(FormatError::Damaged))
    }

    fn change<T>(&self, change: impl Fn(&mut Entries) -> (bool, T)) -> Result<Attempt<T>, FileStoreError> {
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty());
        if let Some(dir) = dir {
            std::fs::create_dir_all(dir).map_err(|error| io_error(dir, "cannot be made", &error))?;
        }
        let lock_file = beside(&self.file, "lock");
        let lock = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_file);
        let lock = lock.map_err(|error| io_error(&lock_file, "cannot be opened", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Locked),
            Err(TryLockError::Error(error)) => return Err(io_error(&lock_file, "cannot be locked", &error)),
        }
        let found = self.entries()?;
        let mut entries = found.unwrap_or_default();
        let (changed, value) = change(&mut entries);
        if changed {
            let key = match self.key()? {
                Some(key) => key,
                None => self.make_key()?,
            };
            let texts: BTreeMap<&str, &str> = entries
                .iter()
                .map(|(name, secret)| (name.as_str(), secret.expose()))
                .collect();
            let plain = serde_json::to_vec(&texts).map(Zeroizing::new);
            let plain = plain.map_err(|error| io_error(&self.file, "cannot be written", &error.into()))?;
            self.replace(&seal(&key, &plain))?;
        }
        drop(lock);
        Ok(Attempt::Done(value))
    }

    /// The whole file at once: a crash leaves the old one or the new one.
    fn replace(&self, sealed: &[u8]) -> Result<(), FileStoreError> {
        let new = beside(&self.file, "new");
        let write = || -> io::Result<()> {
            // Left by a process that died; nobody else writes it, because we have the lock.
            if let Err(error) = std::fs::remove_file(&new)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = private().write(true).create_new(true).open(&new)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.file)?;
            sync_folder_of(&self.file)
        };
        write().map_err(|error| io_error(&self.file, "cannot be written", &error))
    }

    fn key(&self) -> Result<Option<Key>, FileStoreError> {
        if let Some(key) = &self.key {
            let place = || KEY_VARIABLE.to_owned();
            let key = Key::parse(key.expose()).ok_or_else(|| FileStoreError::BadKey { place: place() });
            return key.map(Some);
        }
        let Some(text) = read_file(&self.key_file, 4096)? else {
            return Ok(None);
        };
        let metadata = std::fs::metadata(&self.key_file);
        let metadata = metadata.map_err(|error| io_error(&self.key_file, "cannot be read", &error))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(FileStoreError::OpenKey(self.key_file.clone()));
        }
        let key = std::str::from_utf8(&text).ok().and_then(Key::parse);
        let place = || self.key_file.display().to_string();
        key.map(Some)
            .ok_or_else(|| FileStoreError::BadKey { place: place() })
    }

    fn make_key(&self) -> Result<Key, FileStoreError> {
        let key = Key::random();
        let write = || -> io::Result<()> {
            let mut file = private().write(true).create_new(true).open(&self.key_file)?;
            file.write_all(key.text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            sync_folder_of(&self.key_file)
        };
        write().map_err(|error| io_error(&self.key_file, "cannot be made", &error))?;
        Ok(key)
    }
}

/// For files that only their owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    file.with_file_name(name)
}

fn sync_folder_of(file: &Path) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

fn read_file(file: &Path, bytes_max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, FileStoreError> {
    let failed = |error: &io::Error| io_error(file, "cannot be read", error);
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = opened.take(bytes_max + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| failed(&error))?;
    if read as u64 > bytes_max {
        return Err(failed(&io::Error::other("larger than it can be")));
    }
    Ok(Some(bytes))
}

#[async_trait]
impl SecretStore for FileStore {
    fn place(&self) -> String {
        format!("secrets file {}", self.options.file.display())
    }

    async fn get(&self, name: &SecretName) -> Result<Option<Secret>, SecretError> {
        Ok(self.read().await?.remove(name.as_str()))
    }

    async fn put(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        let (name, secret) = (name.clone(), secret.clone());
        let put = move |entries: &mut Entries| {
            entries.insert(name.as_str().to_owned(), secret.clone());
            (true, ())
        };
        Ok(self.change(put).await?)
    }

    async fn remove(&self, name: &SecretName) -> Result<bool, SecretError> {
        let name = name.clone();
        let remove = move |entries: &mut Entries| {
            let there = entries.remove(name.as_str()).is_some();
            (there, there)
        };
        Ok(self.change(remove).await?)
    }

    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        let entries = self.read().await?;
        Ok(entries.keys().filter_map(|name| name.parse().ok()).collect())
    }
}
