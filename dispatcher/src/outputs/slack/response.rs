use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// What Slack's one-word errors mean for the one who set the webhook up. All come with a 4xx status.
const HINTS: [(&str, &str); 11] = [
    ("invalid_payload", "slack could not read the message"),
    (
        "invalid_blocks",
        "slack does not accept the layout of the message",
    ),
    ("no_text", "the message is empty"),
    ("too_many_attachments", "slack takes at most 100 attachments"),
    ("user_not_found", "the user does not exist"),
    (
        "action_prohibited",
        "an administrator forbids this webhook to post here",
    ),
    (
        "posting_to_general_channel_denied",
        "only some may post to the general channel",
    ),
    ("channel_not_found", "the channel was deleted"),
    ("channel_is_archived", "the channel is archived"),
    (
        "no_service",
        "the webhook was disabled or removed, make a new one",
    ),
    ("no_active_hooks", "the webhook is disabled"),
];

/// 200 = posted. 429 (`Retry-After`) and 5xx (`rollup_error`) come again, every other answer is final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge().map_err(|mut error| {
        // the exact word first: `invalid_blocks` is the beginning of others
        let text = answer.text();
        let word = text.trim().split([':', ' ']).next().unwrap_or_default();
        if let Some((_, hint)) = HINTS.iter().find(|(name, _)| *name == word) {
            error.message = format!("{} ({hint})", error.message);
        }
        error
    })?;
    Ok(Step::done())
}

/// One message a second and channel, a few at once.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 1.0,
            burst: 3,
        }),
        ..DeliveryOptions::default()
    }
}
