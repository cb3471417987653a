use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use streamalert_aws::{Fault, SdkConfig};

use super::{GetRequest, ObjectBody, ObjectChunks, S3Api};

/// Amazon S3.
#[derive(Debug, Clone)]
pub struct AwsS3 {
    client: Client,
}

impl AwsS3 {
    /// S3 of a region; its buckets there only.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        // An endpoint of one's own, such as an emulator, has no host for each bucket.
        let path_style = config.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style);
        Self {
            client: Client::from_conf(config.build()),
        }
    }
}

struct Chunks(ByteStream);

#[async_trait]
impl ObjectChunks for Chunks {
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        self.0.try_next().await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl S3Api for AwsS3 {
    async fn get(&self, request: GetRequest) -> Result<ObjectBody, Fault> {
        let GetRequest {
            bucket,
            key,
            version,
            from,
            tag,
        } = request;
        let asked = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version)
            .set_if_match(tag)
            .set_range((from > 0).then(|| format!("bytes={from}-")));
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Fault::of("s3:GetObject", &error))?;
        let rest = answer
            .content_length
            .and_then(|length| u64::try_from(length).ok());
        Ok(ObjectBody {
            tag: answer.e_tag.unwrap_or_default(),
            length: rest.map(|rest| from + rest),
            chunks: Box::new(Chunks(answer.body)),
        })
    }
}
