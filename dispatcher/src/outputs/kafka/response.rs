use std::error::Error as _;
use std::time::Duration;

use rskafka::client::error::{Error, ProtocolError};

use super::producer::Problem;
use crate::outputs::SendError;
use crate::outputs::http::MESSAGE_CHARS_MAX;
use crate::{DeliveryOptions, Redactor};

/// What is behind the wrappings of an error.
fn root(error: &Error) -> &Error {
    let mut root = error;
    while let Error::RetryFailed(failed) = root
        && let Some(inner) = failed.source().and_then(|source| source.downcast_ref::<Error>())
    {
        root = inner;
    }
    root
}

fn protocol_error(error: &Error) -> Option<&ProtocolError> {
    match root(error) {
        Error::ServerError { protocol_error, .. } => Some(protocol_error),
        _ => None,
    }
}

/// What a failure means; by the table of errors in the documentation of Kafka's protocol, those of producing that can be
/// tried again are, and those that a topic or its permissions answer for good are not. `begun`: the record may be there.
pub(super) fn failed(problem: &Problem, begun: bool) -> SendError {
    let error = match problem {
        Problem::Kafka(error) => error,
        Problem::NoTopic(topic) => {
            return SendError::retry(format!("the cluster has no topic {topic}, or does not show it"));
        }
    };
    let text = match root(error) {
        Error::ServerError {
            protocol_error,
            error_message,
            ..
        } => format!(
            "{protocol_error}: {}",
            error_message.as_deref().unwrap_or("no more was said")
        ),
        other => other.to_string(),
    };
    match protocol_error(error) {
        Some(
            ProtocolError::MessageTooLarge
            | ProtocolError::RecordListTooLarge
            | ProtocolError::TopicAuthorizationFailed
            | ProtocolError::ClusterAuthorizationFailed
            | ProtocolError::InvalidTopicException
            | ProtocolError::InvalidRecord
            | ProtocolError::PolicyViolation
            | ProtocolError::UnsupportedForMessageFormat,
        ) => SendError::permanent(text),
        Some(
            ProtocolError::RequestTimedOut
            | ProtocolError::NotEnoughReplicasAfterAppend
            | ProtocolError::NetworkException
            | ProtocolError::UnknownServerError,
        ) => SendError::unsure(text),
        Some(_) => SendError::retry(text),
        None if begun && !matches!(root(error), Error::Connection(_)) => SendError::unsure(text),
        None => SendError::retry(text),
    }
}

/// Whether a smaller record may be taken.
pub(super) fn is_too_large(problem: &Problem) -> bool {
    let Problem::Kafka(error) = problem else {
        return false;
    };
    matches!(
        protocol_error(error),
        Some(ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge)
    )
}

/// The attempt's time is over.
pub(super) fn timed_out(begun: bool) -> SendError {
    if begun {
        SendError::unsure("timed out, the record may be there")
    } else {
        SendError::retry("timed out before the record was sent")
    }
}

/// Without secrets and not too long.
pub(super) fn clean(mut error: SendError, redactor: &Redactor) -> SendError {
    error.message = redactor.clean(&error.message, MESSAGE_CHARS_MAX);
    error
}

/// A cluster takes many records at once; replicas have 30 s to follow by default, which a healthy one never needs.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        timeout: Duration::from_secs(15),
        ..DeliveryOptions::default()
    }
}
