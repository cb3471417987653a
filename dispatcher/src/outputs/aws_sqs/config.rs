use super::super::Settings;
use super::super::aws;
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[
    Field::required("queue", "the name of the queue, or its url")
        .short()
        .example("security-alerts.fifo"),
    aws::PAYLOAD,
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// Which queue, and what it gets.
pub(super) struct Config {
    pub(super) queue: String,
    pub(super) is_record: bool,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            queue: settings.text("queue")?,
            is_record: settings.text(aws::PAYLOAD.name)? == "record",
        })
    }

    /// Its url, where that is what was given.
    pub(super) fn url(&self) -> Option<&str> {
        self.queue.contains("://").then_some(&*self.queue)
    }

    /// Whether it keeps order and refuses repetitions.
    pub(super) fn is_fifo(&self) -> bool {
        self.queue.ends_with(".fifo")
    }
}
