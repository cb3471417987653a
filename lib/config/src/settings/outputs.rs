use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use streamalert_types::OutputName;

use super::fields::{FieldSetting, FieldValue};
use super::secrets::{SecretPlace, SecretValue};
use super::section::section;
use crate::conf::OUTPUT_SERVICES;

section! {
    /// One output, named `service:descriptor`: `file:NAME` takes `path`; `webhook:NAME` takes `url` or `url_env`,
    /// `headers`, `hmac_secret` or `hmac_secret_env`; `slack:NAME` takes `url` or `url_env`;
    /// `aws-firehose:alerts`, the history of all alerts, takes `dir`; every other service takes `fields`, and these
    /// may instead. A secret is text or says where it is:
    /// `{ env = "NAME" }`, `{ file = "PATH" }` (a line end at its end is left out), `{ ssm = "/PATH" }`,
    /// `{ secretsmanager = "NAME or ARN", key = "MEMBER" }` (without `key` the whole text is meant), or
    /// `{ store = "NAME" }`, a secret in the store of `[secrets]`; one field of a stored output is
    /// `{ store = "outputs/SERVICE:DESCRIPTOR/FIELD" }`.
    pub(crate) struct OutputTable {
        /// `file`: the file that JSON lines are appended to.
        path: Option<PathBuf> = None,
        /// `webhook`, `slack`: where to post.
        url: Option<SecretValue> = None,
        /// `webhook`, `slack`: the environment variable that holds the URL.
        url_env: Option<String> = None,
        /// `webhook`: HTTP headers to send. A value of the form `env:NAME` is read from the environment.
        headers: BTreeMap<String, SecretValue> = BTreeMap::new(),
        /// `webhook`: the secret that signs the body with HMAC-SHA256.
        hmac_secret: Option<SecretValue> = None,
        /// `webhook`: the environment variable that holds that secret.
        hmac_secret_env: Option<String> = None,
        /// `aws-firehose:alerts`: directory of the alert history. Unset: `history` in `data.dir`.
        dir: Option<PathBuf> = None,
        /// Any service: its fields by name ([their documentation](outputs/README.md)): texts or secrets, whole numbers,
        /// flags, lists of texts, and tables of such as `headers`. A text of the form `env:NAME` is read from the
        /// environment.
        fields: BTreeMap<String, FieldSetting> = BTreeMap::new(),
    }
}

/// A value that may come from the environment or from elsewhere, and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: Option<String>,
    variable: Option<String>,
    place: Option<SecretPlace>,
}

/// Where a secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SecretSource<'a> {
    /// Here.
    Text(&'a str),
    /// In an environment variable that was not set when the settings were loaded.
    Unset(&'a str),
    /// Elsewhere, to be asked for.
    Place(&'a SecretPlace),
}

impl Secret {
    /// A secret that stands in the configuration itself.
    #[must_use]
    pub fn inline(value: impl Into<String>) -> Self {
        Self {
            value: Some(value.into()),
            variable: None,
            place: None,
        }
    }

    /// A secret from environment variable `variable`, whose value is `value`.
    #[must_use]
    pub fn from_variable(variable: impl Into<String>, value: Option<String>) -> Self {
        Self {
            value,
            variable: Some(variable.into()),
            place: None,
        }
    }

    fn of(value: &SecretValue, env: &BTreeMap<String, String>) -> Self {
        match value {
            SecretValue::Text(text) => Self::inline(text),
            SecretValue::Place(place) => match place.kind() {
                ("env", variable) => Self::from_variable(variable, env.get(variable).cloned()),
                _ => Self {
                    value: None,
                    variable: None,
                    place: Some(place.clone()),
                },
            },
        }
    }

    /// Where it is.
    #[must_use]
    pub fn source(&self) -> SecretSource<'_> {
        match (&self.value, &self.place) {
            (Some(text), _) => SecretSource::Text(text),
            (None, Some(place)) => SecretSource::Place(place),
            (None, None) => SecretSource::Unset(self.variable.as_deref().unwrap_or_default()),
        }
    }

    /// Where it is, in a few words for people.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        match (&self.variable, &self.place) {
            (Some(variable), _) => format!("environment variable {variable}"),
            (None, Some(place)) => {
                let (kind, name) = place.kind();
                format!("{kind} {name}")
            }
            (None, None) => "plain text in the settings".to_owned(),
        }
    }

    /// The environment variable it is missing from, if it is.
    pub(crate) fn missing_variable(&self) -> Option<&str> {
        match self.source() {
            SecretSource::Unset(variable) => Some(variable),
            SecretSource::Text(_) | SecretSource::Place(_) => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.variable, &self.place) {
            (Some(variable), _) => write!(f, "Secret(${variable})"),
            (None, Some(place)) => write!(f, "Secret({} {})", place.kind().0, place.kind().1),
            (None, None) => f.write_str("Secret(…)"),
        }
    }
}

/// One HTTP header to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, often a token.
    pub value: Secret,
}

/// What an output of `streamalert.toml` delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputTarget {
    /// Appends JSON lines to a file.
    File {
        /// The file.
        path: PathBuf,
    },
    /// Posts JSON to any HTTP server.
    Webhook {
        /// Where to.
        url: Secret,
        /// Headers to send.
        headers: Vec<Header>,
        /// Signs the body with HMAC-SHA256.
        hmac_secret: Option<Secret>,
    },
    /// Posts to a Slack incoming webhook.
    Slack {
        /// The incoming webhook's URL.
        url: Secret,
    },
    /// Fields of any other service by name; which there are is known to those who deliver.
    Fields(BTreeMap<String, FieldValue>),
    /// The local history of all alerts, `aws-firehose:alerts`.
    History {
        /// Its directory.
        dir: PathBuf,
    },
}

impl OutputTarget {
    /// Every secret in it.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::File { .. } | Self::History { .. } => Vec::new(),
            Self::Slack { url } => vec![url],
            Self::Fields(fields) => fields.values().flat_map(FieldValue::secrets).collect(),
            Self::Webhook {
                url,
                headers,
                hmac_secret,
            } => std::iter::once(url)
                .chain(headers.iter().map(|h| &h.value))
                .chain(hmac_secret)
                .collect(),
        }
    }
}

/// A complaint about one key of an output (or about the output, when the key is empty), and its fix.
pub(super) struct TableError {
    pub(super) key: &'static str,
    pub(super) message: String,
    pub(super) fix: String,
}

impl TableError {
    fn new(key: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            key,
            message: message.into(),
            fix: fix.into(),
        }
    }
}

impl OutputTable {
    /// Keys that are set.
    fn given(&self) -> Vec<&'static str> {
        let all = [
            ("path", self.path.is_some()),
            ("url", self.url.is_some()),
            ("url_env", self.url_env.is_some()),
            ("headers", !self.headers.is_empty()),
            ("hmac_secret", self.hmac_secret.is_some()),
            ("hmac_secret_env", self.hmac_secret_env.is_some()),
            ("dir", self.dir.is_some()),
            ("fields", !self.fields.is_empty()),
        ];
        all.into_iter()
            .filter(|(_, set)| *set)
            .map(|(key, _)| key)
            .collect()
    }

    fn fields(&self, env: &BTreeMap<String, String>) -> BTreeMap<String, FieldValue> {
        let fields = self.fields.iter();
        fields
            .map(|(name, value)| (name.clone(), value.value(env)))
            .collect()
    }

    fn url(&self, env: &BTreeMap<String, String>) -> Result<Secret, TableError> {
        let url = secret(("url", &self.url), ("url_env", &self.url_env), env)?
            .ok_or_else(|| TableError::new("", "has no url", "set url or url_env"))?;
        match url.source() {
            SecretSource::Text(text) if !text.starts_with("http://") && !text.starts_with("https://") => {
                let key = if self.url.is_some() { "url" } else { "url_env" };
                Err(TableError::new(
                    key,
                    "is not an http or https url",
                    "write https://host/path",
                ))
            }
            _ => Ok(url),
        }
    }

    /// The target that this table describes for `name`.
    pub(super) fn target(
        &self,
        name: &OutputName,
        data_dir: &Path,
        env: &BTreeMap<String, String>,
    ) -> Result<OutputTarget, TableError> {
        let is_history = *name == OutputName::history();
        if OUTPUT_SERVICES.contains(&name.service()) && self.given() == ["fields"] {
            return Ok(OutputTarget::Fields(self.fields(env)));
        }
        let allowed: &[&str] = match name.service() {
            "file" => &["path"],
            "webhook" => &["url", "url_env", "headers", "hmac_secret", "hmac_secret_env"],
            "slack" => &["url", "url_env"],
            _ if is_history => &["dir"],
            service if OUTPUT_SERVICES.contains(&service) => &["fields"],
            service => {
                let fix = crate::suggest::did_you_mean(service, OUTPUT_SERVICES);
                return Err(TableError::new(
                    "",
                    format!("unknown output {:?}", name.as_str()),
                    fix,
                ));
            }
        };
        if let Some(stray) = self.given().into_iter().find(|key| !allowed.contains(key)) {
            let message = format!("{stray} means nothing to a {} output", name.service());
            return Err(TableError::new(
                stray,
                message,
                format!("it takes {}", allowed.join(", ")),
            ));
        }
        match name.service() {
            "file" => match &self.path {
                Some(path) => Ok(OutputTarget::File { path: path.clone() }),
                None => Err(TableError::new("", "has no path", "set path")),
            },
            "slack" => Ok(OutputTarget::Slack { url: self.url(env)? }),
            "webhook" => Ok(OutputTarget::Webhook {
                url: self.url(env)?,
                headers: self
                    .headers
                    .iter()
                    .map(|(name, value)| header(name, value, env))
                    .collect(),
                hmac_secret: secret(
                    ("hmac_secret", &self.hmac_secret),
                    ("hmac_secret_env", &self.hmac_secret_env),
                    env,
                )?,
            }),
            _ if !is_history => Ok(OutputTarget::Fields(self.fields(env))),
            _ => Ok(OutputTarget::History {
                dir: self.dir.clone().unwrap_or_else(|| data_dir.join("history")),
            }),
        }
    }
}

/// A value that stands in the table or in the environment, not in both.
fn secret(
    (key, inline): (&'static str, &Option<SecretValue>),
    (env_key, variable): (&'static str, &Option<String>),
    env: &BTreeMap<String, String>,
) -> Result<Option<Secret>, TableError> {
    match (inline, variable) {
        (Some(_), Some(_)) => {
            let message = format!("{key} and {env_key} are both set");
            Err(TableError::new(env_key, message, "remove one of them"))
        }
        (Some(value), None) => Ok(Some(Secret::of(value, env))),
        (None, Some(variable)) => Ok(Some(Secret::from_variable(variable, env.get(variable).cloned()))),
        (None, None) => Ok(None),
    }
}

fn header(name: &str, value: &SecretValue, env: &BTreeMap<String, String>) -> Header {
    Header {
        name: name.to_owned(),
        value: from_text(value, env),
    }
}

/// A value that stands for itself, or `env:NAME`, or is elsewhere.
pub(super) fn from_text(value: &SecretValue, env: &BTreeMap<String, String>) -> Secret {
    let variable = match value {
        SecretValue::Text(text) => text.strip_prefix("env:"),
        SecretValue::Place(_) => None,
    };
    match variable {
        Some(variable) => Secret::from_variable(variable, env.get(variable).cloned()),
        None => Secret::of(value, env),
    }
}
