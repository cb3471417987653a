use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What kind of failure a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// AWS asks for fewer calls. Nothing happened.
    Throttled,
    /// The table, stream, queue, bucket or key is not there. Nothing happened.
    NotFound,
    /// The credentials may not do this. Nothing happened.
    Denied,
    /// There are no credentials, or they are expired or unknown. Nothing happened.
    NoCredentials,
    /// A condition of the call did not hold. Nothing happened.
    ConditionFailed,
    /// The call makes no sense to the service: it will never succeed. Nothing happened.
    Invalid,
    /// The request never left this machine. Nothing happened.
    NotSent,
    /// No answer, a broken one (one of success that cannot be read, too), or a failure inside AWS. It may have happened.
    Unknown,
}

/// One failed call to AWS, in one line: the action, what kind of failure, and what AWS said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct Fault {
    /// The action as IAM writes it, such as `dynamodb:PutItem`: what an operator has to allow when it is denied.
    pub action: &'static str,
    /// What kind of failure.
    pub kind: FaultKind,
    /// The code of AWS's answer, empty when there was none.
    pub code: String,
    /// One line for an operator.
    pub reason: String,
}

/// Codes of answers by which AWS asks for fewer calls, over the services used here.
const THROTTLED: [&str; 14] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "TooManyRequestsException",
    "KMSThrottlingException",
    "KMSThrottling",
    "KmsThrottled",
    "KMS.ThrottlingException",
    "Throttled",
    "RequestThrottled",
];
const NOT_FOUND: [&str; 8] = [
    "ResourceNotFoundException",
    "NoSuchBucket",
    "NoSuchKey",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ParameterNotFound",
];
const DENIED: [&str; 5] = [
    "AccessDeniedException",
    "AccessDenied",
    "KMSAccessDeniedException",
    "NotAuthorized",
    "AuthorizationError",
];
const NO_CREDENTIALS: [&str; 9] = [
    "RequestTimeTooSkewed",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
];
/// What AWS says of a signature that was made too early or too late.
const CLOCK: [&str; 2] = ["Signature expired", "Signature not yet current"];
const CONDITION_FAILED: [&str; 1] = ["ConditionalCheckFailedException"];

impl Fault {
    /// Reads what a call of `action` met.
    pub fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let kind = kind_of(error, &code, status);
        let reason = reason_of(error, kind, action, &code, status);
        Self {
            action,
            kind,
            code,
            reason,
        }
    }

    /// Whether the same call may succeed later without an operator's help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::Throttled | FaultKind::NotSent | FaultKind::Unknown
        )
    }

    /// Whether the call may have taken effect although it failed.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self.kind, FaultKind::Unknown)
    }
}

fn kind_of<E>(error: &SdkError<E, HttpResponse>, code: &str, status: Option<u16>) -> FaultKind {
    match error {
        SdkError::ConstructionFailure(_) => return FaultKind::Invalid,
        SdkError::DispatchFailure(failure) => {
            // Missing credentials show as a failure of dispatch. So does a connection that breaks while its answer is
            // awaited, and not always as one of time or of the wire: whatever else it is, the request may have left.
            let connector: Option<&(dyn std::error::Error + 'static)> =
                failure.as_connector_error().map(|error| error as _);
            let mut causes = std::iter::successors(connector, |cause| cause.source());
            return if causes.any(|cause| cause.is::<CredentialsError>()) {
                FaultKind::NoCredentials
            } else {
                FaultKind::Unknown
            };
        }
        SdkError::TimeoutError(_) => return FaultKind::Unknown,
        // an answer that cannot be read, but for a refusal, whose status says enough
        SdkError::ResponseError(_) if !status.is_some_and(|status| (300..500).contains(&status)) => {
            return FaultKind::Unknown;
        }
        _ => {}
    }
    let is = |codes: &[&str]| codes.contains(&code);
    if is(&THROTTLED) || matches!(status, Some(429)) {
        FaultKind::Throttled
    } else if is(&CONDITION_FAILED) {
        FaultKind::ConditionFailed
    } else if is(&NO_CREDENTIALS) {
        FaultKind::NoCredentials
    } else if is(&NOT_FOUND) || (code.is_empty() && status == Some(404)) {
        FaultKind::NotFound
    } else if is(&DENIED) || (code.is_empty() && status == Some(403)) {
        FaultKind::Denied
    } else if status.is_some_and(|status| (300..500).contains(&status)) {
        FaultKind::Invalid
    } else {
        FaultKind::Unknown
    }
}

fn reason_of<E>(
    error: &SdkError<E, HttpResponse>,
    kind: FaultKind,
    action: &str,
    code: &str,
    status: Option<u16>,
) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = match error.message() {
        Some(message) => message.to_owned(),
        None => deepest(error),
    };
    let said = said.lines().next().unwrap_or_default().trim();
    let code = match (code, status) {
        ("", Some(status)) => format!("status {status}"),
        (code, _) => code.to_owned(),
    };
    if code == "RequestTimeTooSkewed" || CLOCK.iter().any(|words| said.contains(words)) {
        return format!("the clock of this machine differs from that of AWS by minutes ({code}): {said}");
    }
    match kind {
        FaultKind::Denied => format!("permission denied, allow {action} ({code}): {said}"),
        // The providers that were tried would follow on lines of their own.
        FaultKind::NoCredentials if code.is_empty() => {
            format!("no valid credentials: {}", said.trim_end_matches(" Attempted:"))
        }
        FaultKind::NoCredentials => format!("no valid credentials ({code}): {said}"),
        FaultKind::Throttled => format!("throttled ({code}): {said}"),
        _ if code.is_empty() => said.to_owned(),
        _ => format!("{code}: {said}"),
    }
}

/// The last cause: SDK errors say "dispatch failure" first and what happened last.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    /// An answer of a service that is not read any further.
    #[derive(Debug)]
    struct Answer(ErrorMetadata);

    impl std::fmt::Display for Answer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("service error")
        }
    }

    impl std::error::Error for Answer {}

    impl ProvideErrorMetadata for Answer {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answered(status: u16, code: Option<&str>, message: &str) -> Fault {
        let mut meta = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            meta = meta.code(code);
        }
        let status = status.try_into().unwrap();
        let response = HttpResponse::new(status, SdkBody::empty());
        let error = SdkError::service_error(Answer(meta.build()), response);
        Fault::of("dynamodb:PutItem", &error)
    }

    #[test]
    fn answers_of_aws_are_told_apart_by_their_code_and_then_by_their_status() {
        let cases = [
            (400, Some("ThrottlingException"), FaultKind::Throttled),
            (
                400,
                Some("ProvisionedThroughputExceededException"),
                FaultKind::Throttled,
            ),
            (429, None, FaultKind::Throttled),
            (
                400,
                Some("ConditionalCheckFailedException"),
                FaultKind::ConditionFailed,
            ),
            (400, Some("ResourceNotFoundException"), FaultKind::NotFound),
            (404, None, FaultKind::NotFound),
            (400, Some("AccessDeniedException"), FaultKind::Denied),
            (403, None, FaultKind::Denied),
            (403, Some("InvalidAccessKeyId"), FaultKind::NoCredentials),
            (400, Some("ValidationException"), FaultKind::Invalid),
            // success that could not be read
            (200, None, FaultKind::Unknown),
            (500, Some("InternalServerError"), FaultKind::Unknown),
            (503, None, FaultKind::Unknown),
        ];
        for (status, code, kind) in cases {
            assert_eq!(answered(status, code, "no").kind, kind, "{status} {code:?}");
        }
    }

    #[test]
    fn of_an_answer_that_cannot_be_read_the_status_counts() {
        let unread = |status: u16| {
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            Fault::of(
                "sqs:SendMessage",
                &SdkError::<Answer, _>::response_error("no code", response),
            )
            .kind
        };
        let kinds = [200, 307, 403, 404, 429, 500].map(unread);
        assert_eq!(
            kinds,
            [
                FaultKind::Unknown,
                FaultKind::Invalid,
                FaultKind::Denied,
                FaultKind::NotFound,
                FaultKind::Throttled,
                FaultKind::Unknown
            ]
        );
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_only_the_unknown_may_have_happened() {
        let throttled = answered(400, Some("SlowDown"), "slow down");
        assert!(throttled.is_retryable() && !throttled.may_have_happened());
        let broken = answered(500, None, "oops");
        assert!(broken.is_retryable() && broken.may_have_happened());
        let denied = answered(400, Some("AccessDenied"), "no");
        assert!(!denied.is_retryable() && !denied.may_have_happened());
    }

    #[test]
    fn a_denied_permission_names_the_action_to_allow_in_one_line() {
        let fault = answered(
            400,
            Some("AccessDeniedException"),
            "User x is not authorized\nsecond line",
        );
        assert_eq!(
            fault.to_string(),
            "dynamodb:PutItem: permission denied, allow dynamodb:PutItem (AccessDeniedException): User x is not authorized"
        );
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_as_what_it_is() {
        let late = answered(
            400,
            Some("InvalidSignatureException"),
            "Signature expired: 1 is now earlier than 2",
        );
        let skewed = answered(403, Some("RequestTimeTooSkewed"), "The difference is too large.");
        for fault in [late, skewed] {
            assert!(
                fault.reason.starts_with("the clock of this machine differs"),
                "{fault}"
            );
            assert_eq!(fault.kind, FaultKind::NoCredentials);
        }
        let other = answered(
            400,
            Some("InvalidSignatureException"),
            "The signature does not match",
        );
        assert!(other.reason.starts_with("no valid credentials"), "{other}");
    }

    #[test]
    fn a_broken_connection_may_have_happened_and_missing_credentials_have_not() {
        let dispatch = |error| Fault::of("sqs:SendMessage", &SdkError::<Answer, _>::dispatch_failure(error));
        let reset = dispatch(ConnectorError::io("connection reset".into()));
        assert_eq!(
            (reset.kind, &*reset.reason),
            (FaultKind::Unknown, "connection reset")
        );
        let closed = "connection closed before message completed";
        let cut = dispatch(ConnectorError::other(closed.into(), None));
        assert!(cut.may_have_happened() && cut.is_retryable(), "{cut}");
        let nobody = CredentialsError::not_loaded("no credentials in the chain");
        let nobody = dispatch(ConnectorError::other(nobody.into(), None));
        assert_eq!(nobody.kind, FaultKind::NoCredentials);
        assert!(!nobody.is_retryable());
    }
}
