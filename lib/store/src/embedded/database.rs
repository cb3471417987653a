//! The file itself: locked, opened, verified, created, and opened again after the medium failed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, StorageError,
};

use super::backend::{Trouble, Watched};
use super::tables::{COMMITS, FORMAT, FORMAT_VERSION, META, Tables};
use super::{EmbeddedOptions, Failure};

const FILE_NAME: &str = "store.redb";
/// A store being created; it gets its name once it is complete, so that `store.redb` is never half a store.
const NEW_FILE_NAME: &str = "store.redb.new";
const LOCK_FILE_NAME: &str = "store.lock";
const PROBE_FILE_NAME: &str = "store.probe";
/// What must be free before writing is tried again after the medium was full: room for one commit of the
/// largest size and the pages it copies.
const PROBE_BYTES: usize = 4 << 20;

/// Why a store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has the directory.
    #[error("{} is in use by another process", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The file is there and cannot be read. Restore it, or move it away to start with an empty store.
    #[error("{} is not a readable store: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a later release.
    #[error("{} has format {found}, this release reads {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: u64,
        /// Our version.
        expected: u64,
    },
    /// The directory or the file cannot be used.
    #[error("cannot open {}: {cause}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// Opens the medium of a store that exists.
pub(super) type Opener = Box<dyn Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// The database, which is taken away while it is being opened again.
pub(super) struct Slot {
    database: RwLock<Option<Database>>,
    medium: Medium,
    dir: Option<PathBuf>,
    /// Held for as long as the store lives.
    _lock: Option<File>,
}

/// How to open the database.
struct Medium {
    opener: Opener,
    trouble: Trouble,
    cache_bytes: usize,
    verify_bytes_max: u64,
}

impl Medium {
    fn open(&self) -> Result<Database, DatabaseError> {
        let medium = (self.opener)()?;
        let length = medium.len()?;
        if length == 0 {
            // The engine would make a new database of it.
            return Err(DatabaseError::Storage(StorageError::Corrupted(
                "the file is empty".to_owned(),
            )));
        }
        Builder::new()
            .set_cache_size(self.cache_bytes)
            .set_check_integrity_on_open(length <= self.verify_bytes_max)
            .create_with_backend(Watched {
                medium,
                trouble: self.trouble.clone(),
            })
    }
}

impl Slot {
    /// Locks the directory, then opens the store in it or creates one.
    pub(super) fn open(options: &EmbeddedOptions) -> Result<Self, OpenError> {
        let dir = options.dir.clone();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Io { path, cause }
        };
        fs::create_dir_all(&dir).map_err(io(&dir))?;
        let lock_path = dir.join(LOCK_FILE_NAME);
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&lock_path)
            .map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { dir }),
            Err(TryLockError::Error(cause)) => {
                return Err(OpenError::Io {
                    path: lock_path,
                    cause,
                });
            }
        }
        let path = dir.join(FILE_NAME);
        if !path.try_exists().map_err(io(&path))? {
            create(&dir, &path, options.cache_bytes)?;
        }
        let opener_path = path.clone();
        let opener: Opener = Box::new(move || {
            let file = OpenOptions::new().read(true).write(true).open(&opener_path)?;
            let backend = FileBackend::new(file).map_err(std::io::Error::other)?;
            Ok(Box::new(backend) as Box<dyn StorageBackend>)
        });
        let slot =
            Self::new(opener, options, Some(dir), Some(lock)).map_err(|error| open_error(&path, error))?;
        slot.check_format(&path)?;
        Ok(slot)
    }

    /// A slot on whatever `opener` opens, which must have all tables.
    pub(super) fn new(
        opener: Opener,
        options: &EmbeddedOptions,
        dir: Option<PathBuf>,
        lock: Option<File>,
    ) -> Result<Self, DatabaseError> {
        let medium = Medium {
            opener,
            trouble: Trouble::default(),
            cache_bytes: options.cache_bytes,
            verify_bytes_max: options.verify_bytes_max,
        };
        let database = medium.open()?;
        Ok(Self {
            database: RwLock::new(Some(database)),
            medium,
            dir,
            _lock: lock,
        })
    }

    fn check_format(&self, path: &Path) -> Result<(), OpenError> {
        let corrupt = |reason| OpenError::Corrupt {
            path: path.to_owned(),
            reason,
        };
        let found = self.read(|transaction| {
            Ok(transaction
                .open_table(META)?
                .get(FORMAT)?
                .map(|version| version.value()))
        });
        match found.map_err(|failure| corrupt(failure.into_store_error().to_string()))? {
            Some(FORMAT_VERSION) => Ok(()),
            Some(found) => Err(OpenError::Version {
                path: path.to_owned(),
                found,
                expected: FORMAT_VERSION,
            }),
            None => Err(corrupt("it carries no format version".to_owned())),
        }
    }

    /// Runs a read on a snapshot of everything committed so far.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with(|database| {
            let transaction = database.begin_read()?;
            read(&transaction)
        })
    }

    pub(super) fn with<T>(&self, run: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Some(database) => run(database),
            None => Err(Failure::Storage(StorageError::DatabaseClosed)),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.database
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Closes the database, waiting for the reads on it, and opens it again: after an I/O error it refuses
    /// everything else.
    pub(super) fn reopen(&self) -> Result<(), Failure> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(database.take());
        *database = Some(self.medium.open().map_err(|error| match error {
            DatabaseError::Storage(error) => Failure::from(error),
            other => Failure::Corrupt(other.to_string()),
        })?);
        Ok(())
    }

    /// What went wrong with the medium since this was last asked.
    pub(super) fn take_trouble(&self) -> Option<std::io::Error> {
        self.medium.trouble.take()
    }

    /// The number of the last commit.
    pub(super) fn commits(&self) -> Result<u64, Failure> {
        self.read(|transaction| {
            Ok(transaction
                .open_table(META)?
                .get(COMMITS)?
                .map_or(0, |number| number.value()))
        })
    }

    /// Whether there is room again. Asked before a full medium is written to once more, because every failed
    /// commit costs a repair of the whole file.
    pub(super) fn probe_room(&self) -> Result<(), Failure> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join(PROBE_FILE_NAME);
        let probed = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0x5a; PROBE_BYTES])?;
            file.sync_all()
        });
        // It is overwritten next time; a probe that stays takes room but does no harm.
        let _ = fs::remove_file(&path);
        probed.map_err(|error| Failure::Storage(StorageError::Io(error)))
    }
}

/// Creates all tables of an empty store.
pub(super) fn initialise(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    tables.set_meta(FORMAT, FORMAT_VERSION)?;
    drop(tables);
    Ok(transaction.commit()?)
}

fn create(dir: &Path, path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let new = dir.join(NEW_FILE_NAME);
    let io = |cause| OpenError::Io {
        path: new.clone(),
        cause,
    };
    let failed = |reason: String| io(std::io::Error::other(reason));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let database = Builder::new()
        .set_cache_size(cache_bytes)
        .create(&new)
        .map_err(|error| open_error(&new, error))?;
    initialise(&database).map_err(|failure| failed(failure.into_store_error().to_string()))?;
    database.close().map_err(|error| open_error(&new, error))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&new, path).map_err(io)?;
    // Without this a power cut could take the name away again, and with it every commit that follows.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)
}

fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked {
            dir: path.parent().unwrap_or(&path).to_owned(),
        },
        DatabaseError::Storage(StorageError::Io(cause))
            if !matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
        {
            OpenError::Io { path, cause }
        }
        other => OpenError::Corrupt {
            path,
            reason: other.to_string(),
        },
    }
}
