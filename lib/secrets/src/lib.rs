//! Secrets: values that must not be seen, the places they come from, and the places they are kept in.
//!
//! [`Secret`] holds one; [`SecretSetting`] is how a configuration names one; [`Secrets`] fetches what is named, all at
//! once. A [`SecretStore`] keeps them: an encrypted file ([`FileStore`]), SSM Parameter Store ([`SsmStore`]) or Secrets
//! Manager ([`ManagerStore`]). [`Redactor`] takes them out of what others write.

mod file;
mod manager;
mod patience;
mod redactor;
mod resolver;
mod secret;
mod setting;
mod ssm;
mod store;

pub use file::{FileStore, FileStoreError, FileStoreOptions, FormatError, KEY_VARIABLE};
pub use manager::ManagerStore;
pub use redactor::{KnownSecrets, Redactor};
pub use resolver::{Fetched, Secrets, SecretsOptions, StoreOptions};
pub use secret::Secret;
pub use setting::{EnvLookup, RemoteSecret, SecretSetting};
pub use ssm::SsmStore;
pub use store::{OutputFields, SecretError, SecretName, SecretStore};
