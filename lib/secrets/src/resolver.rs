use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use futures::StreamExt;
use streamalert_aws::{Access, SdkConfig};
use streamalert_types::OutputName;
use tokio::sync::{Mutex, OnceCell};

use crate::setting::not_empty;
use crate::{
    EnvLookup, FileStore, FileStoreOptions, ManagerStore, OutputFields, RemoteSecret, Secret, SecretError,
    SecretName, SecretSetting, SecretStore, SsmStore, manager, ssm,
};

/// Secrets asked for at once: quick for dozens of outputs, and below what Parameter Store throttles (40 a second).
const CONCURRENCY: usize = 8;

/// Where secrets are kept.
#[derive(Debug, Clone)]
pub enum StoreOptions {
    /// In an encrypted file.
    File(FileStoreOptions),
    /// In SSM Parameter Store, under `/PREFIX/`.
    Ssm {
        /// Before every name.
        prefix: String,
        /// The key to encrypt with; `None`: the account's.
        kms_key: Option<String>,
    },
    /// In Secrets Manager, under `PREFIX/`.
    SecretsManager {
        /// Before every name.
        prefix: String,
        /// The key to encrypt with; `None`: the account's.
        kms_key: Option<String>,
    },
}

/// What [`Secrets`] is made from.
#[derive(Debug, Clone)]
pub struct SecretsOptions {
    /// The store of the settings.
    pub store: StoreOptions,
    /// How AWS is reached, for the store and for secrets that settings name there.
    pub access: Access,
}

/// Fetches secrets from where settings say that they are.
pub struct Secrets {
    options: SecretsOptions,
    store: OnceCell<Box<dyn SecretStore>>,
    /// By region, `None` for that of the options.
    configs: Mutex<BTreeMap<Option<String>, SdkConfig>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads nothing and asks nobody yet.
    #[must_use]
    pub fn new(options: SecretsOptions) -> Self {
        Self {
            options,
            store: OnceCell::new(),
            configs: Mutex::default(),
        }
    }

    /// Calls AWS by `config`, unless an ARN names another region: for credentials that are not those of the default
    /// chain.
    #[must_use]
    pub fn with_config(mut self, config: SdkConfig) -> Self {
        self.configs.get_mut().insert(None, config);
        self
    }

    /// The store of the settings.
    ///
    /// # Errors
    /// It is in AWS, and no region is known.
    pub async fn store(&self) -> Result<&dyn SecretStore, SecretError> {
        let open = async || -> Result<Box<dyn SecretStore>, SecretError> {
            let store: Box<dyn SecretStore> = match &self.options.store {
                StoreOptions::File(options) => Box::new(FileStore::new(options.clone())),
                StoreOptions::Ssm { prefix, kms_key } => {
                    let config = self.config(None, "SSM Parameter Store").await?;
                    Box::new(SsmStore::new(&config, prefix, kms_key.clone()))
                }
                StoreOptions::SecretsManager { prefix, kms_key } => {
                    let config = self.config(None, "Secrets Manager").await?;
                    Box::new(ManagerStore::new(&config, prefix, kms_key.clone()))
                }
            };
            Ok(store)
        };
        Ok(&**self.store.get_or_try_init(open).await?)
    }

    /// All fields of an output that are kept in the store; `None` when there are none.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn load_output_settings(
        &self,
        output: &OutputName,
    ) -> Result<Option<OutputFields>, SecretError> {
        self.store().await?.get_output(output).await
    }

    /// Asks for all of these, side by side. What fails is told when it is used.
    pub async fn fetch(&self, wanted: impl IntoIterator<Item = RemoteSecret>) -> Fetched {
        let wanted: BTreeSet<RemoteSecret> = wanted.into_iter().collect();
        let fetching = wanted.into_iter().map(|remote| async {
            let found = self.get(&remote).await.map_err(|error| error.to_string());
            (remote, found.and_then(not_empty))
        });
        let fetching: Vec<_> = fetching.collect();
        let found = futures::stream::iter(fetching).buffer_unordered(CONCURRENCY);
        Fetched(found.collect().await)
    }

    /// One secret.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn get(&self, remote: &RemoteSecret) -> Result<Secret, SecretError> {
        let missing = |hint: &str| SecretError::Missing {
            secret: remote.clone(),
            hint: hint.to_owned(),
        };
        match remote {
            RemoteSecret::Ssm { name } => {
                let config = self.config(region_of(name), &remote.to_string()).await?;
                let client = aws_sdk_ssm::Client::new(&config);
                let hint = " (in this region and account)";
                ssm::parameter(&client, name).await?.ok_or_else(|| missing(hint))
            }
            RemoteSecret::SecretsManager { name, key } => {
                let config = self.config(region_of(name), &remote.to_string()).await?;
                let client = aws_sdk_secretsmanager::Client::new(&config);
                let hint = " (in this region and account)";
                let secret = manager::secret(&client, name)
                    .await?
                    .ok_or_else(|| missing(hint))?;
                match key {
                    None => Ok(secret),
                    Some(key) => member(&remote.to_string(), &secret, key),
                }
            }
            RemoteSecret::Store { name } => {
                let store = self.store().await?;
                let hint = format!(
                    " in {}, put it there with `streamalert secret put {name}`",
                    store.place()
                );
                let found = match field_of(name) {
                    Some((output, field)) => match store.get_output(&output).await? {
                        None => None,
                        Some(fields) => Some(text_of(&remote.to_string(), fields.expose().get(field))?),
                    },
                    None => store.get(&name.parse::<SecretName>()?).await?,
                };
                found.ok_or_else(|| missing(&hint))
            }
        }
    }

    async fn config(&self, region: Option<String>, what: &str) -> Result<SdkConfig, SecretError> {
        let mut configs = self.configs.lock().await;
        if let Some(config) = configs.get(&region) {
            return Ok(config.clone());
        }
        let mut access = self.options.access.clone();
        access.region = region.clone().or(access.region);
        let config = Box::pin(access.config()).await;
        if config.region().is_none() {
            let what = what.to_owned();
            return Err(SecretError::NoRegion { what });
        }
        configs.insert(region, config.clone());
        Ok(config)
    }
}

/// The region of an ARN, `arn:aws:secretsmanager:REGION:…`.
fn region_of(name: &str) -> Option<String> {
    let region = name.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
    region.filter(|region| !region.is_empty()).map(str::to_owned)
}

/// `outputs/SERVICE:DESCRIPTOR/FIELD`
fn field_of(name: &str) -> Option<(OutputName, &str)> {
    let (output, field) = name.strip_prefix("outputs/")?.rsplit_once('/')?;
    Some((output.parse().ok()?, field))
}

fn member(what: &str, object: &Secret, key: &str) -> Result<Secret, SecretError> {
    // A parser's error might quote what it read.
    match serde_json::from_str::<serde_json::Value>(object.expose()) {
        Ok(serde_json::Value::Object(fields)) => text_of(what, fields.get(key)),
        _ => Err(SecretError::Content {
            what: what.to_owned(),
            reason: "cannot be: the secret is no json object",
        }),
    }
}

fn text_of(what: &str, value: Option<&serde_json::Value>) -> Result<Secret, SecretError> {
    let reason = match value {
        Some(serde_json::Value::String(text)) => return Ok(Secret::new(text.clone())),
        Some(serde_json::Value::Number(number)) => return Ok(Secret::new(number.to_string())),
        Some(_) => "is no text",
        None => "is not there",
    };
    Err(SecretError::Content {
        what: what.to_owned(),
        reason,
    })
}

/// Secrets that were asked for, and why others cannot be had.
#[derive(Debug, Clone, Default)]
pub struct Fetched(BTreeMap<RemoteSecret, Result<Secret, String>>);

impl Fetched {
    /// The secret of a setting: on this machine by `env` and `base` (see [`SecretSetting::local`]), or fetched.
    ///
    /// # Errors
    /// One line that says where it should have been, never the value.
    pub fn secret(&self, setting: &SecretSetting, env: &EnvLookup, base: &Path) -> Result<Secret, String> {
        if let Some(local) = setting.local(env, base) {
            return local;
        }
        let SecretSetting::Remote(remote) = setting else {
            return Err("the secret is not on this machine".to_owned());
        };
        match self.0.get(remote) {
            Some(found) => found.clone(),
            None => Err(format!("{remote} was not asked for")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_taken_from_an_arn_only() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf";
        assert_eq!(region_of(arn).as_deref(), Some("eu-west-1"));
        assert_eq!((region_of("slack"), region_of("/a/b:c")), (None, None));
    }

    #[test]
    fn a_member_of_a_json_object_is_text_or_a_number_and_errors_quote_nothing() {
        let object = Secret::new(r#"{"url": "u", "port": 7, "list": ["planted"]}"#.to_owned());
        let read = |key: &str| member("it", &object, key).map(|secret| secret.expose().to_owned());
        assert_eq!(read("url").unwrap(), "u");
        assert_eq!(read("port").unwrap(), "7");
        assert_eq!(read("list").unwrap_err().to_string(), "it is no text");
        assert_eq!(read("none").unwrap_err().to_string(), "it is not there");
        let error = member("it", &Secret::new("planted".into()), "url")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no json object") && !error.contains("planted"),
            "{error}"
        );
    }

    #[test]
    fn one_field_of_an_output_is_named_with_a_colon() {
        let (output, field) = field_of("outputs/slack:security/url").unwrap();
        assert_eq!((output.as_str(), field), ("slack:security", "url"));
        assert!(field_of("outputs/slack/security").is_none() && field_of("team/token").is_none());
    }
}
