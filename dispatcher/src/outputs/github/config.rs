use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, FieldKind, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("repository", "the repository, as OWNER/NAME")
        .check(repository)
        .example("example/alerts"),
    Field::optional("labels", "labels of every issue, separated by commas").kind(FieldKind::List),
    Field::optional("username", "the user whose token it is; not needed"),
    Field::required(
        "access_token",
        "a token that may read and write issues of the repository",
    )
    .secret()
    .check(token)
    .example("github_pat_0123456789"),
    Field::optional("api", "another API, such as https://github.example.com/api/v3")
        .check(url)
        .default("https://api.github.com"),
    http::CA_FILE,
];

fn repository(text: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match text.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Ok(()),
        _ => Err("must be like OWNER/NAME".to_owned()),
    }
}

pub(super) struct Config {
    pub(super) api: Secret,
    pub(super) access_token: Secret,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let repository = settings.text("repository")?;
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        Ok(Self {
            api: settings.secret("api")?,
            access_token: settings.secret("access_token")?,
            owner: owner.to_owned(),
            name: name.to_owned(),
            labels: settings.list("labels")?,
        })
    }
}
