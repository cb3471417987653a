use std::fmt;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use streamalert_aws::{Fault, FaultKind, SdkConfig};

use crate::patience::patiently;
use crate::store::wrong;
use crate::{Secret, SecretError, SecretName, SecretStore};

/// Secrets of AWS Secrets Manager. As documented in 2025: names of up to 512 of `a-zA-Z0-9/_+=.@-`, values of up to
/// 64 KB.
pub struct ManagerStore {
    client: Client,
    /// Before every name, without slashes around it.
    prefix: String,
    kms_key: Option<String>,
}

impl fmt::Debug for ManagerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl ManagerStore {
    /// Secrets `PREFIX/NAME`, encrypted with `kms_key` (id, ARN or `alias/NAME`), or the account's `aws/secretsmanager`.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: &str, kms_key: Option<String>) -> Self {
        Self {
            client: Client::new(config),
            prefix: prefix.trim_matches('/').to_owned(),
            kms_key,
        }
    }

    fn id(&self, name: &SecretName) -> Result<String, SecretError> {
        let id = format!("{}/{name}", self.prefix);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        if id.bytes().all(fits) {
            Ok(id)
        } else {
            Err(wrong(
                &id,
                "a secret of secretsmanager may have letters, digits and /_+=.@- only",
            ))
        }
    }
}

/// The current text of a secret, by name or ARN, if there is one.
pub(crate) async fn secret(client: &Client, id: &str) -> Result<Option<Secret>, SecretError> {
    let read = || {
        let asked = client.get_secret_value().secret_id(id);
        async move {
            asked
                .send()
                .await
                .map_err(|error| Fault::of("secretsmanager:GetSecretValue", &error))
        }
    };
    match Box::pin(patiently(read)).await {
        Ok(answer) => match answer.secret_string {
            Some(text) => Ok(Some(Secret::new(text))),
            None => Err(SecretError::Content {
                what: format!("secretsmanager secret {id}"),
                reason: "is binary, and not text",
            }),
        },
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(failed(id, fault)),
    }
}

fn failed(id: &str, fault: Fault) -> SecretError {
    let what = format!("secretsmanager secret {id}");
    SecretError::Aws { what, fault }
}

#[async_trait]
impl SecretStore for ManagerStore {
    fn place(&self) -> String {
        format!("Secrets Manager {}/", self.prefix)
    }

    async fn get(&self, name: &SecretName) -> Result<Option<Secret>, SecretError> {
        secret(&self.client, &self.id(name)?).await
    }

    async fn put(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        let id = self.id(name)?;
        let write = || {
            let put = self
                .client
                .put_secret_value()
                .secret_id(&id)
                .secret_string(secret.expose());
            async move {
                put.send()
                    .await
                    .map_err(|error| Fault::of("secretsmanager:PutSecretValue", &error))
            }
        };
        match Box::pin(patiently(write)).await {
            Ok(_) => return Ok(()),
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            Err(fault) => return Err(failed(&id, fault)),
        }
        let create = || {
            let create = self
                .client
                .create_secret()
                .name(&id)
                .secret_string(secret.expose());
            let create = create.set_kms_key_id(self.kms_key.clone());
            async move {
                create
                    .send()
                    .await
                    .map_err(|error| Fault::of("secretsmanager:CreateSecret", &error))
            }
        };
        let created = Box::pin(patiently(create)).await;
        created.map(drop).map_err(|fault| failed(&id, fault))
    }

    async fn remove(&self, name: &SecretName) -> Result<bool, SecretError> {
        let id = self.id(name)?;
        // Without a waiting time: a name that waits to be deleted could not be used again for weeks.
        let delete = || {
            let delete = self.client.delete_secret().secret_id(&id);
            let deleted = delete.force_delete_without_recovery(true);
            async move {
                deleted
                    .send()
                    .await
                    .map_err(|error| Fault::of("secretsmanager:DeleteSecret", &error))
            }
        };
        // Deleting by force is answered alike for what was never there.
        let there = secret(&self.client, &id).await?.is_some();
        if !there {
            return Ok(false);
        }
        match Box::pin(patiently(delete)).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(false),
            Err(fault) => Err(failed(&id, fault)),
        }
    }

    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        let path = format!("{}/", self.prefix);
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let read = || {
                let filter = Filter::builder()
                    .key(FilterNameStringType::Name)
                    .values(&path)
                    .build();
                let page = self
                    .client
                    .list_secrets()
                    .filters(filter)
                    .set_next_token(token.clone());
                let page = page;
                async move {
                    page.send()
                        .await
                        .map_err(|error| Fault::of("secretsmanager:ListSecrets", &error))
                }
            };
            let page = Box::pin(patiently(read))
                .await
                .map_err(|fault| failed(&path, fault))?;
            let found = page.secret_list.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|secret| secret.name?.strip_prefix(&path)?.parse().ok()));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                names.sort();
                return Ok(names);
            }
        }
    }
}
