use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Secret;

/// Takes secrets out of text that others wrote (a server's answer, an error) before anybody sees it.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another goes whole.
    needles: Vec<Secret>,
    others: KnownSecrets,
}

/// Secrets that several redactors look for beside their own, such as those of all outputs. Clones share them.
#[derive(Clone, Default)]
pub struct KnownSecrets(Arc<RwLock<Vec<Secret>>>);

impl KnownSecrets {
    /// Adds `secrets`. Of urls among them only what is long is looked for by itself: short pieces of another output's
    /// url are words that stand in many answers.
    pub fn add<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) {
        let new = needles(secrets, FOREIGN_PART_CHARS_MIN);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(new);
        sort(&mut known);
    }
}

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "KnownSecrets({})", known.len())
    }
}

/// A shorter secret is not looked for: it would blank out half of every text.
const NEEDLE_CHARS_MIN: usize = 6;

/// The same for pieces of the secrets of others.
const FOREIGN_PART_CHARS_MIN: usize = 16;

/// More of a text is not looked at, for each character that is kept: whole pages of errors come.
const TEXT_CHARS_PER_KEPT: usize = 16;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Common words of urls and headers that are no secret and would make answers unreadable.
const COMMON: [&str; 4] = ["services", "webhook", "webhooks", "Bearer"];

impl Redactor {
    /// Knows `secrets`, and for urls among them their user, path and query, which a server may echo alone.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self {
            needles: needles(secrets, NEEDLE_CHARS_MIN),
            others: KnownSecrets::default(),
        }
    }

    /// It, looking for `others` as well, also for those that are added to them later.
    #[must_use]
    pub fn with_others(mut self, others: &KnownSecrets) -> Self {
        self.others = others.clone();
        self
    }

    /// `text` on one line, without the secrets and control characters, cut visibly to `chars_max`. Where `text` itself
    /// was cut off, the beginning of a secret at its end goes, too.
    #[must_use]
    pub fn clean(&self, text: &str, chars_max: usize) -> String {
        let looked_at = chars_max.saturating_mul(TEXT_CHARS_PER_KEPT);
        let end = text
            .char_indices()
            .nth(looked_at)
            .map_or(text.len(), |(at, _)| at);
        let left_out = text[end..].chars().count();
        let mut text = text[..end].to_owned();
        let others = self.others.0.read().unwrap_or_else(PoisonError::into_inner);
        let needles = || self.needles.iter().chain(others.iter());
        for needle in needles() {
            if text.contains(needle.expose()) {
                text = text.replace(needle.expose(), REDACTED);
            }
        }
        if let Some(begun) = needles().filter_map(|needle| begun_at_end(&text, needle)).min() {
            text.truncate(begun);
            text.push_str(REDACTED);
        }
        let text: String = text
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>();
        let chars = text.chars().count();
        if chars <= chars_max && left_out == 0 {
            return text;
        }
        let kept: String = text.chars().take(chars_max).collect();
        let more = chars.saturating_sub(chars_max) + left_out;
        format!("{kept}… ({more} more characters)")
    }
}

/// What to look for: whole secrets, and of what they are made of the pieces of `part_chars_min` and more.
fn needles<'a>(secrets: impl IntoIterator<Item = &'a Secret>, part_chars_min: usize) -> Vec<Secret> {
    let mut needles = Vec::new();
    for secret in secrets {
        let text = secret.expose();
        let mut add = |part: &str, chars_min: usize| {
            if part.chars().count() < chars_min || COMMON.contains(&part) {
                return;
            }
            needles.push(Secret::new(part.to_owned()));
            // Servers that answer in JSON often escape the slashes of what they echo.
            if part.contains('/') {
                needles.push(Secret::new(part.replace('/', "\\/")));
            }
        };
        add(text, NEEDLE_CHARS_MIN);
        if let Some((_, rest)) = text.split_once("://") {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if let Some((user, _)) = host.rsplit_once('@') {
                user.split(':')
                    .chain([user])
                    .for_each(|part| add(part, NEEDLE_CHARS_MIN));
            }
            add(path, part_chars_min);
            path.split(['/', '?', '&', '=', '#'])
                .for_each(|part| add(part, part_chars_min));
        }
        // `Authorization: Bearer abc`: the token alone is as secret as the header
        text.split_ascii_whitespace()
            .for_each(|part| add(part, part_chars_min));
    }
    sort(&mut needles);
    needles
}

/// Longest first, each once.
fn sort(needles: &mut Vec<Secret>) {
    needles.sort_by(|a, b| {
        let (a, b) = (a.expose(), b.expose());
        b.len().cmp(&a.len()).then_with(|| a.cmp(b))
    });
    needles.dedup();
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
        write!(f, "Redactor({} secrets, {:?})", self.needles.len(), self.others)
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

    #[test]
    fn secrets_of_others_are_removed_but_not_the_words_of_their_urls() {
        let others = KnownSecrets::default();
        let own = redactor(["ownsecret"]).with_others(&others);
        others.add(&[
            Secret::new(
                "https://planteduser:hunter22@hooks.example.com/alerts/T0000/verylongplantedsecret"
                    .to_owned(),
            ),
            Secret::new("s3cr3t".to_owned()),
        ]);
        let text = "no alerts with ownsecret, verylongplantedsecret, hunter22 or s3cr3t, verylongplan";
        assert_eq!(
            own.clean(text, 1000),
            "no alerts with [redacted], [redacted], [redacted] or [redacted], [redacted]"
        );
        assert!(!format!("{own:?} {others:?}").contains("planted"));
    }

    #[test]
    fn of_a_long_text_only_the_beginning_is_looked_at_and_no_part_of_a_secret_stays_there() {
        let redactor = redactor(["verylongplantedsecret"]);
        let text = format!("{}verylongplantedsecret{}", "x".repeat(150), "y".repeat(5_000));
        let cleaned = redactor.clean(&text, 10);
        assert_eq!(cleaned, "xxxxxxxxxx… (5161 more characters)");
        let cleaned = redactor.clean(&format!("é{}", "ü".repeat(1_000)), 10);
        assert_eq!(cleaned, "éüüüüüüüüü… (991 more characters)");
    }
}
