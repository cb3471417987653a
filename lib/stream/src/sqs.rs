//! Queues of Amazon SQS as sources.
//!
//! `api` is what is asked of SQS, `aws` asks it; `desk` keeps the books of messages that are received and not deleted
//! (pure), `queue` runs them; `source` hands out one payload for each message. `s3` reads what messages point to.

mod api;
mod aws;
mod counts;
mod desk;
mod queue;
mod source;

pub use api::{EntryFault, QueueMessage, ReceiveRequest, SqsApi};
pub use aws::AwsSqs;
pub use counts::QueueCounts;
pub(crate) use desk::Fate;
pub use queue::QueueOptions;
pub(crate) use queue::{Arrival, OnFate, Queue, QueueHandle, QueueRoom};
pub(crate) use source::poisoned;
pub use source::{SqsContent, SqsOptions, SqsSource};

#[cfg(test)]
pub(crate) use api::played;
