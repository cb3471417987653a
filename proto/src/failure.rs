use streamalert_types::BatchId;

use crate::{MalformedMessage, NeighbourError, v1};

/// The answer that tells a caller of `error`. Each error has one code on the wire.
#[must_use]
pub fn nack(id: BatchId, error: &NeighbourError) -> v1::Nack {
    let (code, reason) = match error {
        NeighbourError::Unavailable { reason, .. } => (v1::ErrorCode::Unavailable, reason),
        NeighbourError::Refused { reason, .. } => (v1::ErrorCode::Refused, reason),
    };
    v1::Nack {
        batch_id: id.0,
        code: code.into(),
        message: reason.clone(),
        retryable: error.is_retryable(),
    }
}

impl v1::Nack {
    /// The answer to a request that cannot be read.
    #[must_use]
    pub fn malformed(id: BatchId, error: &MalformedMessage) -> Self {
        Self {
            batch_id: id.0,
            code: v1::ErrorCode::Malformed.into(),
            message: error.to_string(),
            retryable: false,
        }
    }

    /// The answer to a request whose handler died. The caller may repeat it.
    #[must_use]
    pub fn internal(id: BatchId, reason: String) -> Self {
        Self {
            batch_id: id.0,
            code: v1::ErrorCode::Internal.into(),
            message: reason,
            retryable: true,
        }
    }

    /// The error that this answer stands for. Codes of later versions go by `retryable` alone.
    #[must_use]
    pub fn into_error(self, service: &'static str) -> NeighbourError {
        let code = v1::ErrorCode::try_from(self.code).unwrap_or(v1::ErrorCode::Unspecified);
        let reason = match code {
            v1::ErrorCode::Malformed => format!("request is malformed: {}", self.message),
            v1::ErrorCode::Internal => format!("internal error: {}", self.message),
            _ => self.message,
        };
        if self.retryable {
            NeighbourError::Unavailable { service, reason }
        } else {
            NeighbourError::Refused { service, reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        for error in [
            NeighbourError::Unavailable {
                service: "merger",
                reason: "draining".into(),
            },
            NeighbourError::Refused {
                service: "merger",
                reason: "no such output".into(),
            },
        ] {
            assert_eq!(nack(BatchId(7), &error).into_error("merger"), error);
        }
    }

    #[test]
    fn a_code_of_a_later_version_goes_by_its_retryable_flag() {
        let later = v1::Nack {
            batch_id: 1,
            code: 99,
            message: "not owner".into(),
            retryable: true,
        };
        assert!(later.into_error("merger").is_retryable());
        let malformed = MalformedMessage::Missing {
            field: "Record.sequence",
        };
        assert!(
            !v1::Nack::malformed(BatchId(1), &malformed)
                .into_error("merger")
                .is_retryable()
        );
    }
}
