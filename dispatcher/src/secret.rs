use std::fmt;
use std::path::Path;

use serde::Deserialize;

/// A value that must not be seen: never in `Debug`, logs, errors or dead letters.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The value itself, for the request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Looks up an environment variable; a seam, so that tests need not change the process's.
pub type EnvLookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How a configuration gives a secret: the text itself, or where it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
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
}

impl SecretSetting {
    /// The secret. `env` looks up an environment variable.
    ///
    /// # Errors
    /// One line that names the variable or file, never the value.
    pub fn resolve(&self, env: &EnvLookup, base: &Path) -> Result<Secret, String> {
        let text = match self {
            Self::Text(secret) => secret.0.clone(),
            Self::Env { env: name } => {
                env(name).ok_or_else(|| format!("environment variable {name} is not set"))?
            }
            Self::File { file } => std::fs::read_to_string(base.join(file))
                .map_err(|error| format!("secret file {file} cannot be read: {error}"))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        };
        if text.is_empty() {
            Err("the secret is empty".to_owned())
        } else {
            Ok(Secret(text))
        }
    }
}

/// Takes secrets out of text that others wrote (a server's answer, an error) before anybody sees it.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another goes whole.
    needles: Vec<Secret>,
}

/// A shorter secret is not looked for: it would blank out half of every text.
const NEEDLE_CHARS_MIN: usize = 6;

impl Redactor {
    /// Knows `secrets`, and for urls among them their path and query, which a server may echo alone.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            let text = secret.expose();
            needles.push(secret.clone());
            if let Some((_, rest)) = text.split_once("://")
                && let Some(slash) = rest.find('/')
            {
                needles.push(Secret(rest[slash..].to_owned()));
                needles.extend(
                    rest[slash..]
                        .split(['/', '?', '&', '='])
                        .map(|part| Secret(part.to_owned())),
                );
            }
            // `Authorization: Bearer abc`: the token alone is as secret as the header
            needles.extend(text.split_ascii_whitespace().map(|part| Secret(part.to_owned())));
        }
        needles.retain(|needle| needle.0.chars().count() >= NEEDLE_CHARS_MIN);
        // common words of urls and headers that are no secret and would make answers unreadable
        needles.retain(|needle| !["services", "webhook", "webhooks", "Bearer"].contains(&needle.0.as_str()));
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.0.len()));
        needles.dedup();
        Self { needles }
    }

    /// `text` on one line, without the secrets and control characters, cut visibly to `chars_max`.
    #[must_use]
    pub fn clean(&self, text: &str, chars_max: usize) -> String {
        let mut text = text.to_owned();
        for needle in &self.needles {
            if text.contains(&needle.0) {
                text = text.replace(&needle.0, "[redacted]");
            }
        }
        let text: String = text
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>();
        let chars = text.chars().count();
        if chars <= chars_max {
            return text;
        }
        let kept: String = text.chars().take(chars_max).collect();
        format!("{kept}… ({} more characters)", chars - chars_max)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_a_secret() {
        let secret = Secret::new("hunter2hunter2".to_owned());
        assert!(!format!("{secret:?} {:?}", Redactor::new([&secret])).contains("hunter2"));
    }

    #[test]
    fn secrets_come_from_text_environment_and_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "from-file\n").unwrap();
        let env = |name: &str| (name == "TOKEN").then(|| "from-env".to_owned());
        let resolve = |json: &str| {
            serde_json::from_str::<SecretSetting>(json)
                .unwrap()
                .resolve(&env, dir.path())
                .map(|s| s.0)
        };
        assert_eq!(resolve(r#""plain""#).unwrap(), "plain");
        assert_eq!(resolve(r#"{"env": "TOKEN"}"#).unwrap(), "from-env");
        assert_eq!(resolve(r#"{"file": "token"}"#).unwrap(), "from-file");
        assert!(resolve(r#"{"env": "NOPE"}"#).unwrap_err().contains("NOPE"));
        assert!(resolve(r#"{"file": "nope"}"#).unwrap_err().contains("nope"));
        assert!(resolve(r#""""#).unwrap_err().contains("empty"));
    }

    #[test]
    fn a_redactor_removes_urls_their_parts_and_tokens() {
        let url = Secret::new("https://hooks.example.com/services/T0000/B0000/plantedsecret".to_owned());
        let header = Secret::new("Bearer othersecret".to_owned());
        let redactor = Redactor::new([&url, &header]);
        let cleaned = redactor.clean(
            "no /services/T0000/B0000/plantedsecret\nat plantedsecret\u{0} with othersecret of https://hooks.example.com/services/T0000/B0000/plantedsecret",
            1000,
        );
        assert!(
            !cleaned.contains("plantedsecret") && !cleaned.contains("othersecret"),
            "{cleaned}"
        );
        assert!(!cleaned.contains(['\n', '\0']));
        assert_eq!(redactor.clean("abcdef", 3), "abc… (3 more characters)");
    }
}
