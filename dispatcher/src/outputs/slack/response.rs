use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
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

/// Errors of the Web API that pass; Slack documents them as its own trouble. They come with status 200.
const PASSING: [&str; 5] = [
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "ratelimited",
];

/// What the Web API's errors mean for the one who set the bot up.
const BOT_HINTS: [(&str, &str); 6] = [
    ("not_in_channel", "invite the bot to the channel"),
    (
        "channel_not_found",
        "the id is wrong, or the bot is not in that private channel",
    ),
    ("is_archived", "the channel is archived"),
    ("invalid_auth", "the token is wrong"),
    ("token_revoked", "the token was revoked"),
    ("missing_scope", "the bot needs the scope chat:write"),
];

/// The error of an answer of the Web API; `None` for success and for what is no answer of it.
fn error_of(answer: &Answer) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    Some(body["error"].as_str()?.to_owned())
}

/// Whether the message to reply to is not there any more.
pub(super) fn is_thread_gone(answer: &Answer) -> bool {
    matches!(
        error_of(answer).as_deref(),
        Some("thread_not_found" | "message_not_found" | "cannot_reply_to_message")
    )
}

/// What the Web API says: status 200 with `ok`, and the timestamp of the message, by which a thread is addressed.
pub(super) fn judge_bot(answer: &Answer) -> Result<Step, SendError> {
    let body = answer.json()?;
    if body["ok"].as_bool() == Some(true) {
        let reference = body["ts"].as_str().map(str::to_owned);
        return Ok(Step::Done(Receipt { reference }));
    }
    let Some(error) = body["error"].as_str() else {
        return Err(SendError::unsure(format!("neither ok nor an error: {body}")));
    };
    if PASSING.contains(&error) {
        // Slack says that parts of it may have been done
        return Err(SendError {
            may_have_happened: error != "ratelimited",
            ..answer.retry()
        });
    }
    let mut refusal = answer.refusal();
    if let Some((_, hint)) = BOT_HINTS.iter().find(|(name, _)| *name == error) {
        refusal.message = format!("{} ({hint})", refusal.message);
    }
    Err(refusal)
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
