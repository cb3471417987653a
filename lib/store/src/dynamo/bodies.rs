//! Bodies that no item can hold, in a bucket.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use streamalert_aws::{Fault, FaultKind, SdkConfig};

use super::alert_item::Body;
use super::caller::{Caller, refusal};
use super::options::BODY_BYTES_INLINE_MAX;
use crate::StoreError;

/// The bucket, if there is one.
#[derive(Debug)]
pub(super) struct Bodies {
    client: aws_sdk_s3::Client,
    bucket: Option<String>,
}

impl Bodies {
    pub(super) fn new(config: &SdkConfig, bucket: Option<String>) -> Self {
        // Emulators have no host name for each bucket.
        let config = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Self {
            client: aws_sdk_s3::Client::from_conf(config),
            bucket,
        }
    }

    fn bucket(&self, what: &str) -> Result<&str, StoreError> {
        self.bucket.as_deref().ok_or_else(|| StoreError::Refused {
            reason: format!(
                "{what}, and no bucket is set (store.bucket) for what an item of DynamoDB cannot hold"
            ),
        })
    }

    /// Where a body goes: into the item if it fits, else it is put into the bucket under `key`.
    pub(super) async fn keep(&self, caller: &Caller, key: String, row: Vec<u8>) -> Result<Body, StoreError> {
        if row.len() <= BODY_BYTES_INLINE_MAX {
            return Ok(Body::Inline(row));
        }
        let what = format!(
            "{key} has {} bytes, an item holds {BODY_BYTES_INLINE_MAX}",
            row.len()
        );
        let (bucket, row) = (self.bucket(&what)?, Bytes::from(row));
        let put = || {
            let body = ByteStream::from(row.clone());
            self.client
                .put_object()
                .bucket(bucket)
                .key(&key)
                .body(body)
                .send()
        };
        caller.call("s3:PutObject", put).await?;
        Ok(Body::At(key))
    }

    pub(super) async fn get(&self, caller: &Caller, key: &str) -> Result<Vec<u8>, StoreError> {
        const ACTION: &str = "s3:GetObject";
        let bucket = self.bucket(&format!("{key} is kept in a bucket"))?;
        let _permit = caller.permit().await;
        let mut pauses = caller.pauses();
        loop {
            let fault = match self.client.get_object().bucket(bucket).key(key).send().await {
                Ok(object) => match object.body.collect().await {
                    Ok(body) => return Ok(body.to_vec()),
                    Err(error) => Fault {
                        action: ACTION,
                        kind: FaultKind::Unknown,
                        code: String::new(),
                        reason: error.to_string(),
                    },
                },
                Err(error) => Fault::of(ACTION, &error),
            };
            if !fault.is_retryable() || !pauses.pause(&fault).await {
                return Err(match fault.kind {
                    FaultKind::NotFound => StoreError::Corrupt {
                        reason: format!("{key} is not in bucket {bucket}: {fault}"),
                    },
                    _ => refusal(&fault, false),
                });
            }
        }
    }

    pub(super) async fn remove(&self, caller: &Caller, key: &str) -> Result<(), StoreError> {
        let bucket = self.bucket(&format!("{key} is kept in a bucket"))?;
        let delete = || self.client.delete_object().bucket(bucket).key(key).send();
        caller.call("s3:DeleteObject", delete).await?;
        Ok(())
    }
}
