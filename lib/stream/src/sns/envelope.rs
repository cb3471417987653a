use serde::Deserialize;
use streamalert_types::{Position, Sequence};

/// What SNS sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum EnvelopeKind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

/// What SNS puts around a message, to queues without raw delivery and to web addresses. The signature and what it
/// takes to check it matter for the latter only: a queue is written to by those whom its policy allows.
///
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Envelope {
    #[serde(rename = "Type")]
    pub(crate) kind: EnvelopeKind,
    /// The same each time it is delivered, wherever to.
    pub(crate) message_id: String,
    pub(crate) topic_arn: String,
    pub(crate) message: String,
    pub(crate) subject: Option<String>,
    /// When it was published.
    pub(crate) timestamp: Option<String>,
    pub(crate) token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    pub(crate) subscribe_url: Option<String>,
    /// In base64.
    pub(crate) signature: Option<String>,
    pub(crate) signature_version: Option<String>,
    #[serde(rename = "SigningCertURL")]
    pub(crate) certificate_url: Option<String>,
}

impl Envelope {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none, in one line.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    /// The place of the message within its topic.
    pub(crate) fn position(&self) -> Position {
        Position {
            partition: self.topic_arn.as_str().into(),
            sequence: Sequence::Token(self.message_id.as_str().into()),
        }
    }

    /// The text that is signed: names and values, each on a line, in the order of names. `None` when one is missing.
    ///
    /// <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html>
    pub(crate) fn signed_text(&self) -> Option<String> {
        let timestamp = self.timestamp.as_deref()?;
        let mut fields = vec![("Message", &*self.message), ("MessageId", &self.message_id)];
        let kind = match self.kind {
            EnvelopeKind::Notification => {
                fields.extend(self.subject.as_deref().map(|subject| ("Subject", subject)));
                fields.push(("Timestamp", timestamp));
                "Notification"
            }
            EnvelopeKind::SubscriptionConfirmation | EnvelopeKind::UnsubscribeConfirmation => {
                fields.push(("SubscribeURL", self.subscribe_url.as_deref()?));
                fields.push(("Timestamp", timestamp));
                fields.push(("Token", self.token.as_deref()?));
                if self.kind == EnvelopeKind::SubscriptionConfirmation {
                    "SubscriptionConfirmation"
                } else {
                    "UnsubscribeConfirmation"
                }
            }
        };
        fields.push(("TopicArn", &self.topic_arn));
        fields.push(("Type", kind));
        let lines = fields
            .iter()
            .flat_map(|(name, value)| [*name, "\n", *value, "\n"]);
        Some(lines.collect())
    }
}
