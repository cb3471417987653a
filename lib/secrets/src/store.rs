use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_aws::Fault;
use streamalert_types::OutputName;

use crate::file::FileStoreError;
use crate::{RemoteSecret, Secret};

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 512;

/// Where the fields of outputs are kept, as StreamAlert does it: `outputs/SERVICE/DESCRIPTOR`.
const OUTPUTS: &str = "outputs/";

/// The name of a secret in a store: parts with slashes between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(Arc<str>);

impl SecretName {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where all fields of an output are, as one JSON object: `outputs/SERVICE/DESCRIPTOR`.
    ///
    /// # Errors
    /// The output has a name that no secret can have.
    pub fn of_output(output: &OutputName) -> Result<Self, SecretError> {
        let (service, descriptor) = (output.service(), output.descriptor());
        if descriptor.contains('/') {
            return Err(wrong(output.as_str(), "a descriptor has no slash"));
        }
        format!("{OUTPUTS}{service}/{descriptor}").parse()
    }

    /// The output whose fields are kept under this name.
    #[must_use]
    pub fn output(&self) -> Option<OutputName> {
        let (service, descriptor) = self.0.strip_prefix(OUTPUTS)?.split_once('/')?;
        let plain = !descriptor.contains('/') && !service.contains(':');
        plain.then(|| format!("{service}:{descriptor}").parse().ok())?
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        if text.len() > NAME_BYTES_MAX {
            let end = (0..=40)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or_default();
            return Err(wrong(&text[..end], "longer than 512 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong(&text.escape_debug().to_string(), "has control characters"));
        }
        if text
            .split('/')
            .any(|part| part.trim().is_empty() || part == "." || part == "..")
        {
            return Err(wrong(
                text,
                "expected parts with slashes between them, such as team/token",
            ));
        }
        Ok(Self(text.into()))
    }
}

pub(crate) fn wrong(name: &str, reason: &'static str) -> SecretError {
    SecretError::Name {
        name: name.to_owned(),
        reason,
    }
}

/// Why a secret was not read, written or removed. One line, without secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    /// No secret can have this name.
    #[error("secret name {name:?}: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The encrypted file.
    #[error(transparent)]
    File(#[from] FileStoreError),
    /// A call of AWS.
    #[error("{what}: {fault}")]
    Aws {
        /// The secret, or what was done.
        what: String,
        /// What the call met.
        fault: Fault,
    },
    /// Nothing says which region.
    #[error("{what}: no region, set secrets.region or aws.region, or AWS_REGION in the environment")]
    NoRegion {
        /// The secret, or what was done.
        what: String,
    },
    /// It is not there.
    #[error("{secret} is not there{hint}")]
    Missing {
        /// Which.
        secret: RemoteSecret,
        /// What to do about it.
        hint: String,
    },
    /// It is there, and holds something else than is asked for.
    #[error("{what} {reason}")]
    Content {
        /// The secret.
        what: String,
        /// What is wrong, without the value.
        reason: &'static str,
    },
}

/// All fields of one output, some of them secret: a JSON object.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OutputFields(serde_json::Map<String, serde_json::Value>);

impl OutputFields {
    /// Wraps them.
    #[must_use]
    pub const fn new(fields: serde_json::Map<String, serde_json::Value>) -> Self {
        Self(fields)
    }

    /// The fields themselves.
    #[must_use]
    pub const fn expose(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.0
    }

    /// The fields themselves.
    #[must_use]
    pub fn into_map(self) -> serde_json::Map<String, serde_json::Value> {
        self.0
    }

    fn to_secret(&self) -> Secret {
        Secret::new(serde_json::Value::Object(self.0.clone()).to_string())
    }

    fn of(name: &SecretName, secret: &Secret) -> Result<Self, SecretError> {
        match serde_json::from_str(secret.expose()) {
            Ok(serde_json::Value::Object(fields)) => Ok(Self(fields)),
            // A parser's error might quote what it read.
            _ => Err(SecretError::Content {
                what: format!("stored secret {name}"),
                reason: "is no json object of an output's fields",
            }),
        }
    }
}

impl fmt::Debug for OutputFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Keeps secrets by name.
#[async_trait]
pub trait SecretStore: Send + Sync + fmt::Debug + 'static {
    /// What and where it is, for people.
    fn place(&self) -> String;

    /// The secret, if it is there.
    ///
    /// # Errors
    /// It cannot be known, or cannot be decrypted.
    async fn get(&self, name: &SecretName) -> Result<Option<Secret>, SecretError>;

    /// Keeps `secret` in place of what was there.
    ///
    /// # Errors
    /// It may not have been written.
    async fn put(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError>;

    /// Removes it for good. Whether it was there, as far as the store says so.
    ///
    /// # Errors
    /// It may still be there.
    async fn remove(&self, name: &SecretName) -> Result<bool, SecretError>;

    /// All names, in order.
    ///
    /// # Errors
    /// They cannot be known.
    async fn list(&self) -> Result<Vec<SecretName>, SecretError>;

    /// All fields of an output, if it has any here.
    ///
    /// # Errors
    /// As [`get`](Self::get); or what is there is no JSON object.
    async fn get_output(&self, output: &OutputName) -> Result<Option<OutputFields>, SecretError> {
        let name = SecretName::of_output(output)?;
        let secret = self.get(&name).await?;
        secret.map(|secret| OutputFields::of(&name, &secret)).transpose()
    }

    /// Keeps all fields of an output in place of those that were there.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    async fn put_output(&self, output: &OutputName, fields: &OutputFields) -> Result<(), SecretError> {
        self.put(&SecretName::of_output(output)?, &fields.to_secret())
            .await
    }

    /// Removes all fields of an output. Whether there were any.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    async fn remove_output(&self, output: &OutputName) -> Result<bool, SecretError> {
        self.remove(&SecretName::of_output(output)?).await
    }

    /// Outputs that have fields here, in order.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    async fn list_outputs(&self) -> Result<Vec<OutputName>, SecretError> {
        let names = self.list().await?;
        Ok(names.iter().filter_map(SecretName::output).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_with_slashes_between_them() {
        for good in ["a", "team/token", "outputs/slack/sec+ops@x y", "ü"] {
            assert_eq!(good.parse::<SecretName>().unwrap().as_str(), good);
        }
        let long = "x".repeat(513);
        for bad in ["", "/a", "a/", "a//b", "a/../b", ".", "a\nb", " ", &long] {
            let error = bad.parse::<SecretName>().unwrap_err().to_string();
            assert!(
                error.starts_with("secret name ") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn an_output_has_one_name_and_is_found_by_it() {
        let output: OutputName = "slack:security".parse().unwrap();
        let name = SecretName::of_output(&output).unwrap();
        assert_eq!(name.as_str(), "outputs/slack/security");
        assert_eq!(name.output(), Some(output));
        for other in ["team/token", "outputs/slack", "outputs/slack/a/b"] {
            assert_eq!(other.parse::<SecretName>().unwrap().output(), None, "{other}");
        }
        assert!(SecretName::of_output(&"slack:a/b".parse().unwrap()).is_err());
    }

    #[test]
    fn fields_show_their_names_only() {
        let name: SecretName = "outputs/slack/x".parse().unwrap();
        let fields = OutputFields::of(&name, &Secret::new(r#"{"url": "planted"}"#.into())).unwrap();
        assert_eq!(format!("{fields:?}"), r#"{"url"}"#);
        let error = OutputFields::of(&name, &Secret::new("planted".into()))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "stored secret outputs/slack/x is no json object of an output's fields"
        );
    }
}
