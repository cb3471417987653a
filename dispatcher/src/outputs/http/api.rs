use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use streamalert_types::Timestamp;
use tokio::time::Instant;

use super::{Answer, Poster, Request};
use crate::outputs::{Output, Receipt, SendError};
use crate::{Publication, Secret};

/// See [`Api::steps_max`].
const STEPS_MAX: usize = 8;

/// What is to be delivered, as an [`Api`] sees it.
#[derive(Clone, Copy)]
pub(crate) struct Parcel<'a> {
    /// The alert as publishers made it, and what belongs to it.
    pub(crate) publication: &'a Publication,
    /// The idempotency key: the same for every attempt at this delivery, for ever.
    pub(crate) key: &'a str,
    /// When this attempt began, for signatures.
    pub(crate) now: Timestamp,
}

/// What comes next in an attempt.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this, then ask again with its answer.
    Ask(Request),
    /// It is there.
    Done(Receipt),
}

impl Step {
    /// It is there, and there is nothing to remember about it.
    pub(crate) fn done() -> Self {
        Self::Done(Receipt::default())
    }
}

/// An API over http as a pure function: from what is to be delivered and the answers so far to the next step. One
/// request: `match answers { [] => Ask(create), [answer, ..] => …judge }`. Search before create: `[] => Ask(search)`,
/// `[found] => if … { Done } else { Ask(create) }`, `[_, created, ..] => …judge`.
pub(crate) trait Api: Send + Sync + 'static {
    /// The next step after `answers`, oldest first.
    ///
    /// # Errors
    /// The attempt failed. The message may quote answers: it is cleaned of this output's secrets, put on one line
    /// and cut before anybody sees it.
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError>;

    /// Requests of one attempt at most, so that an API that answers oddly cannot keep us asking.
    fn steps_max(&self) -> usize {
        STEPS_MAX
    }
}

/// An output that is an [`Api`].
pub(crate) struct HttpOutput<A> {
    api: A,
    poster: Poster,
}

impl<A: Api> HttpOutput<A> {
    pub(crate) const fn new(api: A, poster: Poster) -> Self {
        Self { api, poster }
    }

    async fn attempt(
        &self,
        parcel: &Parcel<'_>,
        deadline: Instant,
        seen: &mut Vec<Secret>,
    ) -> Result<Receipt, SendError> {
        let mut answers = Vec::new();
        loop {
            let mut request = match self.api.step(parcel, &answers)? {
                Step::Done(receipt) => return Ok(receipt),
                Step::Ask(_) if answers.len() == self.api.steps_max() => {
                    return Err(SendError::unsure("the api kept us asking"));
                }
                Step::Ask(request) => request,
            };
            let sensitive = request.headers.values().filter(|value| value.is_sensitive());
            seen.extend(sensitive.filter_map(|value| Some(Secret::new(value.to_str().ok()?.to_owned()))));
            if let Some(traceparent) = parcel.publication.traceparent
                && let Ok(value) = HeaderValue::from_str(&traceparent.to_string())
            {
                // W3C Trace Context: a receiver that knows it goes on with our trace
                request
                    .headers
                    .insert(HeaderName::from_static("traceparent"), value);
            }
            answers.push(self.poster.send(request, deadline).await?);
        }
    }
}

#[async_trait]
impl<A: Api> Output for HttpOutput<A> {
    async fn send(
        &self,
        publication: &Publication,
        key: &str,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let parcel = Parcel {
            publication,
            key,
            now: self.poster.clock.now(),
        };
        let mut seen = Vec::new();
        self.attempt(&parcel, deadline, &mut seen)
            .await
            .map_err(|error| self.poster.cleaned(error, &seen))
    }
}
