/// What is known by name.
pub(super) struct Class {
    name: &'static str,
    about: &'static str,
    pub(super) pattern: &'static str,
    pub(super) confirms: fn(&str) -> bool,
}

const fn class(name: &'static str, about: &'static str, pattern: &'static str) -> Class {
    Class {
        name,
        about,
        pattern,
        confirms: |_| true,
    }
}

static CLASSES: [Class; 12] = [
    Class {
        name: "credit-card",
        about: "card numbers of 13 to 19 digits, with spaces or hyphens or without, whose check digit is right",
        pattern: r"\b[2-6](?:[ -]?[0-9]){12,18}\b",
        confirms: has_right_check_digit,
    },
    class(
        "iban",
        "International Bank Account Numbers",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    ),
    class(
        "us-ssn",
        "social security numbers of the USA, with hyphens",
        r"\b[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}\b",
    ),
    class(
        "email",
        "e-mail addresses",
        r"\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}\b",
    ),
    class(
        "aws-access-key",
        "ids of AWS access keys",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    ),
    class(
        "aws-secret-key",
        "40 characters of an AWS secret key, where their name stands before them",
        r#"(?i)(?:secret_?access_?key|aws_?secret)["']?\s{0,4}[:=]\s{0,4}["']?([A-Za-z0-9/+=]{40})"#,
    ),
    class(
        "jwt",
        "JSON Web Tokens",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ),
    class(
        "private-key",
        "private keys in PEM",
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)",
    ),
    class(
        "bearer-token",
        "what follows `Bearer` or `Basic` in a header",
        r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/-]{8,}=*)",
    ),
    class(
        "url-password",
        "the password in `scheme://user:password@host`",
        r#"\b[A-Za-z][A-Za-z0-9+.-]+://[^\s/:@"']*:([^\s/@"']+)@"#,
    ),
    class(
        "slack-token",
        "tokens and incoming webhooks of Slack",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|https://hooks\.slack\.com/services/[A-Za-z0-9/]+",
    ),
    class(
        "github-token",
        "tokens of GitHub",
        r"\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})\b",
    ),
];

impl Class {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| class.name == name)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        CLASSES.iter().map(|class| class.name)
    }

    pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
        CLASSES.iter().map(|class| (class.name, class.about))
    }
}

/// Luhn's.
fn has_right_check_digit(text: &str) -> bool {
    let digits = text
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .map(|byte| u32::from(byte - b'0'));
    let weighed = digits.enumerate().map(|(place, digit)| match place % 2 {
        0 => digit,
        _ if digit > 4 => 2 * digit - 9,
        _ => 2 * digit,
    });
    weighed.sum::<u32>().is_multiple_of(10)
}
