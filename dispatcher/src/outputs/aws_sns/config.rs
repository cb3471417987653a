use super::super::Settings;
use super::super::aws;
use crate::service::{Field, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required("topic", "the name of the topic, or its ARN")
        .short()
        .check(token)
        .example("security-alerts"),
    Field::optional(
        "account",
        "the account of a topic that is given by its name; unset: `aws_account_id` of `conf/global.json`",
    )
    .check(account)
    .example("123456789012"),
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

fn account(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(());
    }
    Err("must be the twelve digits of an AWS account".to_owned())
}

/// Which topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Arn(String),
    Named { name: String, account: String },
}

impl Topic {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let topic = settings.text("topic")?;
        if topic.starts_with("arn:") {
            return Ok(Self::Arn(topic));
        }
        let of_conf = || settings.context.aws_account.clone();
        let Some(id) = settings.optional_text("account")?.or_else(of_conf) else {
            return Err(
                "topic: write its ARN, or give `account`, or `aws_account_id` in conf/global.json".to_owned(),
            );
        };
        account(&id).map_err(|error| format!("account: {error}"))?;
        Ok(Self::Named {
            name: topic,
            account: id,
        })
    }

    /// Its ARN, in `region` if it is only named.
    pub(super) fn arn(&self, region: &str) -> String {
        match self {
            Self::Arn(arn) => arn.clone(),
            Self::Named { name, account } => {
                format!("arn:{}:sns:{region}:{account}:{name}", aws::partition_of(region))
            }
        }
    }

    /// The region that its ARN names.
    pub(super) fn region(&self) -> Option<&str> {
        match self {
            Self::Arn(arn) => aws::region_of(arn),
            Self::Named { .. } => None,
        }
    }

    /// Whether it keeps order and refuses repetitions.
    pub(super) fn is_fifo(&self) -> bool {
        let (Self::Arn(name) | Self::Named { name, .. }) = self;
        name.ends_with(".fifo")
    }
}
