use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use streamalert_aws::{Fault, FaultKind, SdkConfig};

use super::{EntryFault, QueueMessage, ReceiveRequest, SqsApi};

/// One queue of Amazon SQS.
#[derive(Debug, Clone)]
pub struct AwsSqs {
    client: Client,
    url: String,
}

impl AwsSqs {
    /// The queue with this URL.
    #[must_use]
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            url: url.into(),
        }
    }

    /// The queue with this name or ARN; an ARN may name another account, and its region is that of `config`.
    ///
    /// # Errors
    /// See [`Fault`]: `NotFound` when there is no such queue.
    pub async fn find(config: &SdkConfig, queue: &str) -> Result<Self, Fault> {
        let action = "sqs:GetQueueUrl";
        let mut arn = queue.splitn(6, ':').skip(4);
        let (account, name) = match (queue.starts_with("arn:"), arn.next(), arn.next()) {
            (true, Some(account), Some(name)) => (Some(account), name),
            _ => (None, queue),
        };
        let client = Client::new(config);
        let asked = client
            .get_queue_url()
            .queue_name(name)
            .set_queue_owner_aws_account_id(account.map(str::to_owned));
        let answer = asked.send().await.map_err(|error| Fault::of(action, &error))?;
        let url = answer.queue_url.ok_or_else(|| Fault {
            action,
            kind: FaultKind::Unknown,
            code: String::new(),
            reason: "an answer without a url".to_owned(),
        })?;
        Ok(Self { client, url })
    }

    /// Where the queue is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Seconds of `duration`, within what SQS takes.
fn seconds(duration: Duration, max: i32) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(max).min(max)
}

/// The longest visibility: twelve hours.
const VISIBILITY_SECS_MAX: i32 = 43_200;
const WAIT_SECS_MAX: i32 = 20;

/// A required field of an entry was not given, which cannot happen here.
fn bad_entry(action: &'static str) -> impl Fn(aws_sdk_sqs::error::BuildError) -> Fault {
    move |error| Fault {
        action,
        kind: FaultKind::Invalid,
        code: String::new(),
        reason: error.to_string(),
    }
}

fn failures(failed: Vec<BatchResultErrorEntry>) -> Vec<EntryFault> {
    let failures = failed.into_iter().filter_map(|entry| {
        Some(EntryFault {
            index: entry.id.parse().ok()?,
            is_final: entry.sender_fault,
            reason: format!("{}: {}", entry.code, entry.message.unwrap_or_default()),
        })
    });
    failures.collect()
}

fn read(message: Message) -> Option<QueueMessage> {
    let receives = message.attributes.as_ref().and_then(|attributes| {
        let count = attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount)?;
        count.parse().ok()
    });
    Some(QueueMessage {
        id: message.message_id?,
        receipt: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
        receives: receives.unwrap_or(1),
    })
}

#[async_trait]
impl SqsApi for AwsSqs {
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<QueueMessage>, Fault> {
        let asked = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(request.messages_max).unwrap_or(10).clamp(1, 10))
            .wait_time_seconds(seconds(request.wait, WAIT_SECS_MAX))
            .visibility_timeout(seconds(request.visibility, VISIBILITY_SECS_MAX))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Fault::of("sqs:ReceiveMessage", &error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(read)
            .collect())
    }

    async fn delete(&self, receipts: Vec<String>) -> Result<Vec<EntryFault>, Fault> {
        let action = "sqs:DeleteMessage";
        let mut entries = Vec::with_capacity(receipts.len());
        for (index, receipt) in receipts.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt);
            entries.push(entry.build().map_err(bad_entry(action))?);
        }
        let asked = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries));
        let answer = asked.send().await.map_err(|error| Fault::of(action, &error))?;
        Ok(failures(answer.failed))
    }

    async fn extend(&self, receipts: Vec<String>, visibility: Duration) -> Result<Vec<EntryFault>, Fault> {
        let action = "sqs:ChangeMessageVisibility";
        let mut entries = Vec::with_capacity(receipts.len());
        for (index, receipt) in receipts.into_iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(seconds(visibility, VISIBILITY_SECS_MAX));
            entries.push(entry.build().map_err(bad_entry(action))?);
        }
        let asked = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries));
        let answer = asked.send().await.map_err(|error| Fault::of(action, &error))?;
        Ok(failures(answer.failed))
    }
}
