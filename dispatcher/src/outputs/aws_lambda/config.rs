use super::super::Settings;
use super::super::aws;
use crate::service::{Field, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "function",
        "the name of the function or its ARN, with `:QUALIFIER` behind it where a version or an alias is meant",
    )
    .short()
    .check(function)
    .example("respond:production"),
    aws::PAYLOAD,
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// A check: the forms that [`Function::parse`] reads.
pub(crate) fn function(text: &str) -> Result<(), String> {
    token(text)?;
    Function::parse(text).map(drop).ok_or_else(|| {
        "must be NAME, NAME:QUALIFIER, ACCOUNT:function:NAME, or an ARN of a function".to_owned()
    })
}

/// Which function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name, or its ARN with or without account.
    pub(crate) name: String,
    /// Which version or alias of it.
    pub(crate) qualifier: Option<String>,
}

impl Function {
    /// Takes `text` apart: a name has no colon, a name with its account two, an ARN six; a qualifier adds one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.split(':').count();
        let is_arn = text.starts_with("arn:");
        if text.split(':').any(str::is_empty) || is_arn != matches!(parts, 7 | 8) {
            return None;
        }
        match parts {
            1 | 3 | 7 => Some(Self {
                name: text.to_owned(),
                qualifier: None,
            }),
            2 | 4 | 8 => text.rsplit_once(':').map(|(name, qualifier)| Self {
                name: name.to_owned(),
                qualifier: Some(qualifier.to_owned()),
            }),
            _ => None,
        }
    }
}

/// What is called, and with what.
pub(crate) struct Config {
    pub(crate) function: Function,
    pub(crate) is_record: bool,
    /// Fields by which publishers give what is sent, service and name, the first first.
    pub(crate) magic: &'static [(&'static str, &'static str)],
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let text = settings.text("function")?;
        Ok(Self {
            function: Function::parse(&text).ok_or("function: is no function")?,
            is_record: settings.text(aws::PAYLOAD.name)? == "record",
            magic: &[("aws-lambda", "alert_data")],
        })
    }
}
