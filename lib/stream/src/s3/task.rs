//! Reads one object, beside others.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use streamalert_aws::Fault;
use streamalert_types::Source;
use tokio::sync::mpsc;

use super::books::ObjectId;
use super::download::{self, Backoff};
use super::{GetRequest, S3Api};
use crate::intake::Intake;
use crate::medium::FileKind;
use crate::packing;
use crate::pump::{self, Job, Pumped};
use crate::{SourceContext, SourceError};

/// What the task of an object tells.
pub(super) enum News {
    /// It is there; it goes on from here.
    Opened {
        partition: Arc<str>,
        from: u64,
    },
    /// An earlier run finished it.
    Known(Arc<str>),
    /// S3 does not give it.
    Missing(Fault),
    /// Its checkpoint cannot be read.
    Failed(SourceError),
    Pumped(Pumped),
}

/// Reads one object.
pub(super) struct ObjectTask {
    pub(super) id: ObjectId,
    pub(super) request: GetRequest,
    pub(super) source: Arc<Source>,
    pub(super) api: Arc<dyn S3Api>,
    pub(super) intake: Arc<Intake>,
    pub(super) context: SourceContext,
    pub(super) backoff: Backoff,
    pub(super) large: Arc<Mutex<()>>,
    pub(super) bytes_read: Arc<AtomicU64>,
    pub(super) news: mpsc::Sender<(ObjectId, News)>,
}

impl ObjectTask {
    pub(super) async fn run(self) {
        let body = match download::open(&*self.api, &self.request, &self.backoff).await {
            Ok(body) => body,
            Err(fault) => return self.tell(News::Missing(fault)).await,
        };
        let told_by = self
            .request
            .version
            .as_deref()
            .unwrap_or(&body.tag)
            .trim_matches('"');
        let partition: Arc<str> = format!("{}#{told_by}", self.request.key).into();
        let from = match self.resume(&partition).await {
            Ok((_, true)) => return self.tell(News::Known(partition)).await,
            Ok((from, false)) => from,
            Err(error) => return self.tell(News::Failed(error)).await,
        };
        self.tell(News::Opened { partition, from }).await;
        let (chunks, reader) = download::channel();
        let job = Job {
            kind: FileKind::Object,
            from,
            follow: false,
            limits: self.context.limits.clone(),
            large: self.large.clone(),
        };
        let mut pumped = pump::start(job, move |_| packing::unpack(reader));
        let request = self.request.clone();
        let feeding = download::feed(
            &*self.api,
            request,
            body,
            &self.backoff,
            self.bytes_read.clone(),
            chunks,
        );
        let forwarding = async {
            let mut last = false;
            while let Some(news) = pumped.recv().await {
                last = !matches!(news, Pumped::Payloads(_));
                self.tell(News::Pumped(news)).await;
            }
            if !last {
                let cause = std::io::Error::other("the reading thread ended unexpectedly");
                self.tell(News::Pumped(Pumped::Failed(cause))).await;
            }
        };
        tokio::join!(feeding, forwarding);
    }

    /// Where the object goes on. Asks for as long as the store may answer: a message that was given back meanwhile
    /// would be taken for poison after some times, through no fault of its own.
    async fn resume(&self, partition: &str) -> Result<(u64, bool), SourceError> {
        let mut failures = 0;
        loop {
            match self.intake.resume(&self.source, partition).await {
                Err(error) if error.is_retryable() => {
                    if failures == 0 {
                        tracing::warn!(%error, partition, "object waits for its checkpoint");
                    }
                    self.backoff.wait(failures).await;
                    failures += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn tell(&self, news: News) {
        // Nobody listens when the source is gone, and with it this task.
        let _ = self.news.send((self.id, news)).await;
    }
}
