use std::io::ErrorKind;

use redb::StorageError;

use crate::StoreError;
use crate::rows::RowError;

/// Why an operation on the tables stopped.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request is at fault; it has written nothing, and those that share its transaction may go on.
    Refused(StoreError),
    /// What is stored makes no sense.
    Corrupt(String),
    /// The file could not be read or written.
    Storage(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(reason) => Self::Corrupt(reason),
            other => Self::Storage(other),
        }
    }
}

impl From<redb::TableError> for Failure {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for Failure {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for Failure {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<RowError> for Failure {
    fn from(error: RowError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl Failure {
    /// What the caller hears when the operation had no effect for certain.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Corrupt(reason) => StoreError::Corrupt { reason },
            Self::Storage(error) if is_full(&error) => StoreError::Full {
                reason: error.to_string(),
            },
            Self::Storage(error) => StoreError::Unavailable {
                reason: error.to_string(),
            },
        }
    }
}

/// Whether the medium has no room, or no room for us.
pub(super) fn is_full(error: &StorageError) -> bool {
    let StorageError::Io(error) = error else {
        return false;
    };
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
