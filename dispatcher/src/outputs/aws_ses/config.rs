use lettre::message::Mailbox;

use super::super::Settings;
use super::super::aws;
use crate::outputs::mail::{address, addresses};
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "from_email",
        "the sender, an address or domain that SES has verified",
    )
    .check(sender)
    .example("streamalert@example.com"),
    Field::required("to_emails", "the recipients, with commas between them")
        .check(recipients)
        .example("soc@example.com, oncall@example.com"),
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// Recipients of one mail.
const RECIPIENTS_MAX: usize = 50;

fn sender(text: &str) -> Result<(), String> {
    address(text).map(drop)
}

fn recipients(text: &str) -> Result<(), String> {
    match addresses(text)?.len() {
        1..=RECIPIENTS_MAX => Ok(()),
        count => Err(format!(
            "{count} addresses, from 1 to {RECIPIENTS_MAX} are possible"
        )),
    }
}

/// From whom, to whom.
pub(super) struct Config {
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            from: address(&settings.text("from_email")?)?,
            to: addresses(&settings.text("to_emails")?)?,
        })
    }
}
