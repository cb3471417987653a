use std::fmt;

use crate::Secret;

/// Takes secrets out of text that others wrote (a server's answer, an error) before anybody sees it.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another goes whole.
    needles: Vec<Secret>,
}

/// A shorter secret is not looked for: it would blank out half of every text.
const NEEDLE_CHARS_MIN: usize = 6;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Common words of urls and headers that are no secret and would make answers unreadable.
const COMMON: [&str; 4] = ["services", "webhook", "webhooks", "Bearer"];

impl Redactor {
    /// Knows `secrets`, and for urls among them their user, path and query, which a server may echo alone.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            let text = secret.expose();
            let mut add = |part: &str| {
                needles.push(Secret::new(part.to_owned()));
                // Servers that answer in JSON often escape the slashes of what they echo.
                if part.contains('/') {
                    needles.push(Secret::new(part.replace('/', "\\/")));
                }
            };
            add(text);
            if let Some((_, rest)) = text.split_once("://") {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                if let Some((user, _)) = host.rsplit_once('@') {
                    user.split(':').chain([user]).for_each(&mut add);
                }
                add(path);
                path.split(['/', '?', '&', '=', '#']).for_each(&mut add);
            }
            // `Authorization: Bearer abc`: the token alone is as secret as the header
            text.split_ascii_whitespace().for_each(&mut add);
        }
        needles.retain(|needle| needle.expose().chars().count() >= NEEDLE_CHARS_MIN);
        needles.retain(|needle| !COMMON.contains(&needle.expose()));
        needles.sort_by(|a, b| {
            let (a, b) = (a.expose(), b.expose());
            b.len().cmp(&a.len()).then_with(|| a.cmp(b))
        });
        needles.dedup();
        Self { needles }
    }

    /// `text` on one line, without the secrets and control characters, cut visibly to `chars_max`. Where `text` itself
    /// was cut off, the beginning of a secret at its end goes, too.
    #[must_use]
    pub fn clean(&self, text: &str, chars_max: usize) -> String {
        let mut text = text.to_owned();
        for needle in &self.needles {
            if text.contains(needle.expose()) {
                text = text.replace(needle.expose(), REDACTED);
            }
        }
        if let Some(begun) = self
            .needles
            .iter()
            .filter_map(|needle| begun_at_end(&text, needle))
            .min()
        {
            text.truncate(begun);
            text.push_str(REDACTED);
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

/// Where in `text` the beginning of `needle` begins with which it ends, if that is long enough to tell something.
fn begun_at_end(text: &str, needle: &Secret) -> Option<usize> {
    let needle = needle.expose();
    let ends = needle.char_indices().map(|(at, _)| at).skip(NEEDLE_CHARS_MIN);
    let longest = ends.filter(|end| text.ends_with(&needle[..*end])).last()?;
    Some(text.len() - longest)
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor<const N: usize>(secrets: [&str; N]) -> Redactor {
        Redactor::new(&secrets.map(|text| Secret::new(text.to_owned())))
    }

    const HOOK: &str = "https://hooks.example.com/services/T0000/B0000/plantedsecret";

    #[test]
    fn a_redactor_removes_urls_their_parts_and_tokens() {
        let redactor = redactor([HOOK, "Bearer othersecret"]);
        let cleaned = redactor.clean(
            &format!(
                "no /services/T0000/B0000/plantedsecret\nat plantedsecret\u{0} with othersecret of {HOOK}"
            ),
            1000,
        );
        assert!(
            !cleaned.contains("plantedsecret") && !cleaned.contains("othersecret"),
            "{cleaned}"
        );
        assert!(!cleaned.contains(['\n', '\0']));
        assert_eq!(redactor.clean("abcdef", 3), "abc… (3 more characters)");
        assert!(!format!("{redactor:?}").contains("planted"));
    }

    #[test]
    fn what_is_escaped_in_json_or_names_a_user_is_removed_too() {
        let redactor = redactor([HOOK, "https://planteduser:plantedpass@example.com"]);
        let cleaned = redactor.clean(
            &format!(
                r#"{{"url": "{}", "user": "planteduser"}} plantedpass"#,
                HOOK.replace('/', "\\/")
            ),
            1000,
        );
        assert!(
            !cleaned.contains("planted") && !cleaned.contains("T0000"),
            "{cleaned}"
        );
    }

    #[test]
    fn a_secret_cut_off_at_the_end_leaves_nothing_to_read() {
        let redactor = redactor(["Bearer verylongplantedsecret"]);
        for kept in 6..20 {
            let text = format!("you sent {}", &"verylongplantedsecret"[..kept]);
            assert_eq!(redactor.clean(&text, 100), "you sent [redacted]");
        }
        assert_eq!(redactor.clean("you sent very", 100), "you sent very");
    }
}
