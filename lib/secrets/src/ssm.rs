use std::fmt;

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use streamalert_aws::{Fault, FaultKind, SdkConfig};

use crate::patience::patiently;
use crate::store::wrong;
use crate::{Secret, SecretError, SecretName, SecretStore};

/// Secrets as `SecureString` parameters of SSM Parameter Store, as StreamAlert keeps the credentials of outputs.
/// As documented in 2025: names of up to 1,011 of `a-zA-Z0-9_.-/`, values of up to 4 KB, or 8 KB where AWS puts them into
/// the advanced tier, which it does when needed.
pub struct SsmStore {
    client: Client,
    /// Before every name, without slashes around it.
    prefix: String,
    kms_key: Option<String>,
}

impl fmt::Debug for SsmStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsmStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl SsmStore {
    /// Parameters `/PREFIX/NAME`, encrypted with `kms_key` (id, ARN or `alias/NAME`), or the account's `aws/ssm`.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: &str, kms_key: Option<String>) -> Self {
        Self {
            client: Client::new(config),
            prefix: prefix.trim_matches('/').to_owned(),
            kms_key,
        }
    }

    fn parameter(&self, name: &SecretName) -> Result<String, SecretError> {
        let parameter = format!("/{}/{name}", self.prefix);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
        if parameter.bytes().all(fits) {
            Ok(parameter)
        } else {
            Err(wrong(
                &parameter,
                "a parameter of ssm may have letters, digits and _.-/ only",
            ))
        }
    }
}

/// The decrypted value of a parameter, if there is one.
pub(crate) async fn parameter(client: &Client, name: &str) -> Result<Option<Secret>, SecretError> {
    let read = || {
        let asked = client.get_parameter().name(name).with_decryption(true);
        async move {
            asked
                .send()
                .await
                .map_err(|error| Fault::of("ssm:GetParameter", &error))
        }
    };
    match Box::pin(patiently(read)).await {
        Ok(answer) => {
            let value = answer.parameter.and_then(|parameter| parameter.value);
            Ok(value.map(Secret::new))
        }
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(failed(name, fault)),
    }
}

fn failed(name: &str, fault: Fault) -> SecretError {
    let what = format!("ssm parameter {name}");
    SecretError::Aws { what, fault }
}

#[async_trait]
impl SecretStore for SsmStore {
    fn place(&self) -> String {
        format!("SSM Parameter Store /{}/", self.prefix)
    }

    async fn get(&self, name: &SecretName) -> Result<Option<Secret>, SecretError> {
        parameter(&self.client, &self.parameter(name)?).await
    }

    async fn put(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        let name = self.parameter(name)?;
        let write = || {
            let put = self.client.put_parameter().name(&name).value(secret.expose());
            let put = put.r#type(ParameterType::SecureString).overwrite(true);
            let put = put
                .tier(ParameterTier::IntelligentTiering)
                .set_key_id(self.kms_key.clone());
            async move {
                put.send()
                    .await
                    .map_err(|error| Fault::of("ssm:PutParameter", &error))
            }
        };
        let written = Box::pin(patiently(write)).await;
        written.map(drop).map_err(|fault| failed(&name, fault))
    }

    async fn remove(&self, name: &SecretName) -> Result<bool, SecretError> {
        let name = self.parameter(name)?;
        let delete = || {
            let deleted = self.client.delete_parameter().name(&name);
            async move {
                deleted
                    .send()
                    .await
                    .map_err(|error| Fault::of("ssm:DeleteParameter", &error))
            }
        };
        match Box::pin(patiently(delete)).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(false),
            Err(fault) => Err(failed(&name, fault)),
        }
    }

    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        let path = format!("/{}/", self.prefix);
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let read = || {
                let page = self.client.get_parameters_by_path().path(&path).recursive(true);
                let page = page.with_decryption(false).set_next_token(token.clone());
                async move {
                    page.send()
                        .await
                        .map_err(|error| Fault::of("ssm:GetParametersByPath", &error))
                }
            };
            let page = Box::pin(patiently(read))
                .await
                .map_err(|fault| failed(&path, fault))?;
            let found = page.parameters.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|parameter| parameter.name?.strip_prefix(&path)?.parse().ok()));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                names.sort();
                return Ok(names);
            }
        }
    }
}
