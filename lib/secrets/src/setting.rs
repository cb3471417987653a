use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::Secret;

/// Looks up an environment variable; a seam, so that tests need not change the process's.
pub type EnvLookup = dyn Fn(&str) -> Option<String> + Send + Sync;

const FORMS: &str = "expected text, or one of { env = \"NAME\" }, { file = \"PATH\" }, { ssm = \"/PATH\" }, \
                     { secretsmanager = \"NAME\", key = \"MEMBER\" } and { store = \"NAME\" }";

/// A secret that has to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemoteSecret {
    /// A parameter of SSM Parameter Store.
    Ssm {
        /// Its name, such as `/acme/slack`.
        name: String,
    },
    /// A secret of Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        name: String,
        /// The member of the JSON object that it holds; `None` when the text itself is the secret.
        key: Option<String>,
    },
    /// A secret in the store of the settings.
    Store {
        /// Its name there; `outputs/SERVICE:DESCRIPTOR/FIELD` is one field of an output's.
        name: String,
    },
}

impl fmt::Display for RemoteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssm { name } => write!(f, "ssm parameter {name}"),
            Self::SecretsManager { name, key: None } => write!(f, "secretsmanager secret {name}"),
            Self::SecretsManager { name, key: Some(key) } => {
                write!(f, "member {key} of secretsmanager secret {name}")
            }
            Self::Store { name } => write!(f, "stored secret {name}"),
        }
    }
}

/// How a configuration gives a secret: the text itself, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub enum SecretSetting {
    /// The secret itself.
    Text(Secret),
    /// `{ env = "NAME" }`: an environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// `{ file = "PATH" }`: a file, its trailing line end left out (how orchestrators mount secrets).
    File {
        /// Its path.
        file: String,
    },
    /// `{ ssm = "/PATH" }`, `{ secretsmanager = "NAME", key = "MEMBER" }`, `{ store = "NAME" }`.
    Remote(RemoteSecret),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Text(Secret),
    Table(BTreeMap<String, Secret>),
}

impl TryFrom<Raw> for SecretSetting {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let mut table = match raw {
            Raw::Text(secret) => return Ok(Self::Text(secret)),
            Raw::Table(table) => table,
        };
        // Values are places and no secrets, but whoever mistakes the one for the other must not read it in an error.
        let mut take = |key: &str| table.remove(key).map(|text| text.expose().to_owned());
        let setting = if let Some(env) = take("env") {
            Self::Env { env }
        } else if let Some(file) = take("file") {
            Self::File { file }
        } else if let Some(name) = take("ssm") {
            Self::Remote(RemoteSecret::Ssm { name })
        } else if let Some(name) = take("secretsmanager") {
            let key = take("key");
            Self::Remote(RemoteSecret::SecretsManager { name, key })
        } else if let Some(name) = take("store") {
            Self::Remote(RemoteSecret::Store { name })
        } else {
            return Err(FORMS);
        };
        if table.is_empty() { Ok(setting) } else { Err(FORMS) }
    }
}

impl SecretSetting {
    /// The secret, where it is on this machine: text, environment or file. `env` looks up an environment variable,
    /// relative paths start at `base`. `None` for one that has to be asked for.
    ///
    /// # Errors
    /// One line that names the variable or file, never the value.
    pub fn local(&self, env: &EnvLookup, base: &Path) -> Option<Result<Secret, String>> {
        let found = match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::Env { env: name } => env(name)
                .map(Secret::new)
                .ok_or_else(|| format!("environment variable {name} is not set")),
            Self::File { file } => {
                read(&base.join(file)).map_err(|error| format!("secret file {file} cannot be read: {error}"))
            }
            Self::Remote(_) => return None,
        };
        Some(found.and_then(not_empty))
    }

    /// Secrets in `settings`, at any depth, that have to be asked for. What only looks like one (a header that is
    /// called `store`) is among them: asking for it does no harm.
    pub fn remotes_in(settings: &serde_json::Value, found: &mut Vec<RemoteSecret>) {
        match settings {
            serde_json::Value::Object(table) => {
                if let Ok(Self::Remote(remote)) = Self::deserialize(settings) {
                    found.push(remote);
                }
                table.values().for_each(|value| Self::remotes_in(value, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| Self::remotes_in(item, found)),
            _ => {}
        }
    }
}

fn read(path: &Path) -> std::io::Result<Secret> {
    let text = Secret::new(std::fs::read_to_string(path)?);
    Ok(Secret::new(
        text.expose().trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

pub(crate) fn not_empty(secret: Secret) -> Result<Secret, String> {
    if secret.expose().is_empty() {
        Err("the secret is empty".to_owned())
    } else {
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_text_environment_and_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "from-file\n").unwrap();
        let env = |name: &str| (name == "TOKEN").then(|| "from-env".to_owned());
        let resolve = |json: &str| {
            let setting: SecretSetting = serde_json::from_str(json).unwrap();
            let secret = setting.local(&env, dir.path()).unwrap();
            secret.map(|secret| secret.expose().to_owned())
        };
        assert_eq!(resolve(r#""plain""#).unwrap(), "plain");
        assert_eq!(resolve(r#"{"env": "TOKEN"}"#).unwrap(), "from-env");
        assert_eq!(resolve(r#"{"file": "token"}"#).unwrap(), "from-file");
        assert!(resolve(r#"{"env": "NOPE"}"#).unwrap_err().contains("NOPE"));
        assert!(resolve(r#"{"file": "nope"}"#).unwrap_err().contains("nope"));
        assert!(resolve(r#""""#).unwrap_err().contains("empty"));
    }

    #[test]
    fn a_secret_that_is_elsewhere_is_named_and_not_made_up() {
        let read = |json: &str| serde_json::from_str::<SecretSetting>(json);
        let ssm = SecretSetting::Remote(RemoteSecret::Ssm { name: "/a".into() });
        assert_eq!(read(r#"{"ssm": "/a"}"#).unwrap(), ssm);
        assert!(ssm.local(&|_| None, Path::new(".")).is_none());
        let manager = |key: Option<&str>| {
            let key = key.map(str::to_owned);
            SecretSetting::Remote(RemoteSecret::SecretsManager {
                name: "n".into(),
                key,
            })
        };
        assert_eq!(read(r#"{"secretsmanager": "n"}"#).unwrap(), manager(None));
        assert_eq!(
            read(r#"{"secretsmanager": "n", "key": "url"}"#).unwrap(),
            manager(Some("url"))
        );
        for wrong in [
            r#"{"emv": "planted-secret"}"#,
            r#"{"ssm": "planted-secret", "key": "k"}"#,
            r#"{"env": "planted-secret", "file": "b"}"#,
            "{}",
            r#"{"env": 7}"#,
            "7",
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
    }

    #[test]
    fn what_has_to_be_asked_for_is_found_at_any_depth() {
        let settings = serde_json::json!({
            "url": {"ssm": "/a"}, "headers": {"x": {"store": "s"}, "y": "text"}, "list": [{"secretsmanager": "m"}],
            "env": {"env": "E"}
        });
        let mut found = Vec::new();
        SecretSetting::remotes_in(&settings, &mut found);
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["ssm parameter /a", "stored secret s", "secretsmanager secret m"]
        );
    }
}
