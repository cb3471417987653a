use async_trait::async_trait;
use bytes::Bytes;
use streamalert_aws::Fault;

/// What is asked of S3. A seam, so that tests play throttling and broken connections.
#[async_trait]
pub trait S3Api: Send + Sync + 'static {
    /// `s3:GetObject`.
    ///
    /// # Errors
    /// See [`Fault`].
    async fn get(&self, request: GetRequest) -> Result<ObjectBody, Fault>;
}

/// Which bytes of which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRequest {
    /// The bucket.
    pub bucket: String,
    /// The key, as it is.
    pub key: String,
    /// The version; the latest where unset. Needs `s3:GetObjectVersion`.
    pub version: Option<String>,
    /// The first byte that is wanted, as stored.
    pub from: u64,
    /// The object must still be the one with this tag.
    pub tag: Option<String>,
}

/// An object that is coming.
pub struct ObjectBody {
    /// Tells its contents from others under the same key.
    pub tag: String,
    /// All bytes of it, as stored, those before the first wanted included; where that is told.
    pub length: Option<u64>,
    /// The bytes from the first wanted on.
    pub chunks: Box<dyn ObjectChunks>,
}

/// The bytes of an object.
#[async_trait]
pub trait ObjectChunks: Send {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Why the connection broke, in one line.
    async fn next(&mut self) -> Result<Option<Bytes>, String>;
}
