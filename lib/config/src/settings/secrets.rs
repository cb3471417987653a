//! Secrets as settings give them, and where the program keeps its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::section::{HasKind, Kind, section};

/// Where the program keeps secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretsType {
    /// In an encrypted file of this machine.
    #[default]
    File,
    /// In SSM Parameter Store.
    Ssm,
    /// In Secrets Manager.
    SecretsManager,
}

impl HasKind for SecretsType {
    const KIND: Kind = Kind::Choice(&["file", "ssm", "secretsmanager"]);
}

section! {
    /// Where secrets are kept that `streamalert output add` and `secret put` put there, and from where outputs of
    /// `conf/outputs.json` that have no settings get theirs.
    pub struct SecretsSettings {
        /// `file`: an encrypted file of this machine; `ssm`: parameters of SSM Parameter Store, as StreamAlert keeps them;
        /// `secretsmanager`: secrets of AWS Secrets Manager.
        r#type: SecretsType = SecretsType::File,
        /// `ssm`, `secretsmanager`: what names begin with. Unset: `PREFIX/streamalert` with `account.prefix` of
        /// `conf/global.json`, which is where StreamAlert keeps the credentials of outputs; `streamalert` without one.
        prefix: Option<String> = None,
        /// `ssm`, `secretsmanager`: the KMS key to encrypt with: id, ARN or `alias/NAME`. Unset: the account's for that
        /// service.
        kms_key: Option<String> = None,
        /// `ssm`, `secretsmanager`: the region. Unset: `aws.region`.
        region: Option<String> = None,
        /// `file`: the encrypted file. Unset: `secrets.enc` in `data.dir`.
        file: Option<PathBuf> = None,
        /// `file`: the file with its key, which only its owner may read. Unset: `secrets.key` in `data.dir`. Not looked at
        /// when `STREAMALERT_SECRETS_KEY` holds the key itself.
        key_file: Option<PathBuf> = None,
    }
}

/// A secret as a setting gives it: text, or a table that says where it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SecretValue {
    /// The secret itself.
    Text(String),
    /// Where it is.
    Place(SecretPlace),
}

impl SecretValue {
    /// How it may be written.
    pub(super) const FORMS: &'static str = "\"text\", or one of { env = \"NAME\" }, { file = \"PATH\" }, \
        { ssm = \"/PATH\" }, { secretsmanager = \"NAME\", key = \"MEMBER\" } and { store = \"NAME\" }";

    pub(super) fn fits(value: &toml::Value) -> bool {
        Self::deserialize(value.clone()).is_ok()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("[secret]"),
            Self::Place(place) => place.fmt(f),
        }
    }
}

/// Where a secret is: `env`, `file`, `ssm`, `secretsmanager` (with `key` or without) or `store`, one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct SecretPlace(BTreeMap<String, String>);

impl SecretPlace {
    /// The kind of place, and the name there.
    #[must_use]
    pub fn kind(&self) -> (&str, &str) {
        let named = self.0.iter().find(|(key, _)| *key != "key");
        named.map_or(("", ""), |(key, name)| (key, name))
    }

    /// As the settings have it.
    #[must_use]
    pub const fn table(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl TryFrom<BTreeMap<String, String>> for SecretPlace {
    type Error = &'static str;

    fn try_from(table: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        let kinds = ["env", "file", "ssm", "secretsmanager", "store"];
        let keys: Vec<&str> = table
            .keys()
            .map(String::as_str)
            .filter(|key| *key != "key")
            .collect();
        let keyed_right = !table.contains_key("key") || keys == ["secretsmanager"];
        let named = table.values().all(|name| !name.is_empty());
        match keys[..] {
            [kind] if kinds.contains(&kind) && keyed_right && named => Ok(Self(table)),
            _ => Err(SecretValue::FORMS),
        }
    }
}

/// What is wrong with the section: key, message, fix. `is_set` tells whether somebody wrote a key.
pub(super) fn problems(
    secrets: &SecretsSettings,
    is_set: impl Fn(&str) -> bool,
) -> Vec<([&'static str; 2], String, String)> {
    let mut found = Vec::new();
    let in_aws = secrets.r#type != SecretsType::File;
    for (key, of_aws) in [
        ("prefix", true),
        ("kms_key", true),
        ("region", true),
        ("file", false),
        ("key_file", false),
    ] {
        if in_aws != of_aws && is_set(&format!("secrets.{key}")) {
            let kinds = if of_aws {
                "\"ssm\" or \"secretsmanager\""
            } else {
                "\"file\""
            };
            let message = "means nothing to this type of store".to_owned();
            found.push((
                ["secrets", key],
                message,
                format!("set secrets.type = {kinds}, or remove it"),
            ));
        }
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    for (key, value) in [
        ("prefix", &secrets.prefix),
        ("kms_key", &secrets.kms_key),
        ("region", &secrets.region),
    ] {
        if value
            .as_deref()
            .is_some_and(|text| text.trim_matches('/').trim().is_empty())
        {
            let fix = "write a value, or leave it out".to_owned();
            found.push((["secrets", key], "is empty".to_owned(), fix));
        }
    }
    if secrets
        .prefix
        .as_ref()
        .is_some_and(|prefix| !prefix.bytes().all(is_name))
    {
        let fix = "write a-z, A-Z, 0-9, _, ., - and / only".to_owned();
        found.push((
            ["secrets", "prefix"],
            "cannot begin the name of a secret".to_owned(),
            fix,
        ));
    }
    found
}
