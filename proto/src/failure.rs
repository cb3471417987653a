use streamalert_types::BatchId;

use crate::{MalformedMessage, NeighbourError, NotOwned, v1};

/// The answer that tells a caller of `error`. Each error has one code on the wire.
#[must_use]
pub fn nack(id: BatchId, error: &NeighbourError) -> v1::Nack {
    let (code, message) = match error {
        NeighbourError::Unavailable { reason, .. } => (v1::ErrorCode::Unavailable, reason.clone()),
        NeighbourError::NotOwner { .. } => (v1::ErrorCode::NotOwner, error.to_string()),
        NeighbourError::Refused { reason, .. } => (v1::ErrorCode::Refused, reason.clone()),
    };
    let not_owned = match error {
        NeighbourError::NotOwner { shards, .. } => shards.as_slice(),
        _ => &[],
    };
    let on_wire = |owned: &NotOwned| v1::NotOwned {
        shard: u32::from(owned.shard),
        address: owned.address.clone().unwrap_or_default(),
    };
    v1::Nack {
        batch_id: id.0,
        code: code.into(),
        message,
        retryable: error.is_retryable(),
        not_owned: not_owned.iter().map(on_wire).collect(),
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
            not_owned: Vec::new(),
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
            not_owned: Vec::new(),
        }
    }

    /// The error that this answer stands for. Codes of later versions go by `retryable` alone.
    #[must_use]
    pub fn into_error(self, service: &'static str) -> NeighbourError {
        let code = v1::ErrorCode::try_from(self.code).unwrap_or(v1::ErrorCode::Unspecified);
        if code == v1::ErrorCode::NotOwner && self.retryable {
            let owned = |owned: v1::NotOwned| {
                Some(NotOwned {
                    shard: u16::try_from(owned.shard).ok()?,
                    address: Some(owned.address).filter(|address| !address.is_empty()),
                })
            };
            let shards = self.not_owned.into_iter().filter_map(owned).collect();
            return NeighbourError::NotOwner { service, shards };
        }
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
            NeighbourError::NotOwner {
                service: "merger",
                shards: vec![
                    NotOwned {
                        shard: 7,
                        address: Some("10.0.0.1:4000".into()),
                    },
                    NotOwned {
                        shard: 300,
                        address: None,
                    },
                ],
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
            not_owned: Vec::new(),
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
