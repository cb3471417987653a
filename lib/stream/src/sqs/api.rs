use std::time::Duration;

use async_trait::async_trait;
use streamalert_aws::Fault;

/// Messages that one call of SQS takes at most, whatever it does with them.
pub(super) const BATCH_MAX: usize = 10;

/// What is asked of one queue. A seam, so that tests play throttling and lost answers.
#[async_trait]
pub trait SqsApi: Send + Sync + 'static {
    /// `sqs:ReceiveMessage`: waits for messages up to as long as is asked.
    ///
    /// # Errors
    /// See [`Fault`]. Messages of an answer that was lost come again after their visibility.
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<QueueMessage>, Fault>;

    /// `sqs:DeleteMessage`, up to ten receipts. Answers which of them failed.
    ///
    /// # Errors
    /// See [`Fault`]; deleting again does no harm.
    async fn delete(&self, receipts: Vec<String>) -> Result<Vec<EntryFault>, Fault>;

    /// `sqs:ChangeMessageVisibility`, up to ten receipts: nobody else gets them for so long from now on. Answers which
    /// of them failed.
    ///
    /// # Errors
    /// See [`Fault`].
    async fn extend(&self, receipts: Vec<String>, visibility: Duration) -> Result<Vec<EntryFault>, Fault>;
}

/// What to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// Messages at most, 1 to 10.
    pub messages_max: usize,
    /// How long to wait for the first of them, up to 20 s.
    pub wait: Duration,
    /// How long nobody else gets them.
    pub visibility: Duration,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The same each time the message is received.
    pub id: String,
    /// Names this receiving of it: by this it is deleted.
    pub receipt: String,
    /// The text.
    pub body: String,
    /// How often it has been received, this time included; SQS counts approximately.
    pub receives: u32,
}

/// A message of a batch for which a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFault {
    /// Its index among the receipts of the call.
    pub index: usize,
    /// Trying again cannot help: the receipt is no longer valid, or the message has been held for twelve hours.
    pub is_final: bool,
    /// One line for an operator.
    pub reason: String,
}

#[cfg(test)]
pub(crate) mod played {
    //! A queue in memory that fails as it is told.

    use std::collections::{BTreeMap, VecDeque};
    use std::sync::{Arc, Mutex};

    use streamalert_aws::FaultKind;
    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;

    /// The queue, as SQS keeps it.
    #[derive(Default)]
    pub(crate) struct Played {
        state: Mutex<State>,
        changed: Notify,
    }

    #[derive(Default)]
    struct State {
        messages: BTreeMap<String, Kept>,
        faults: VecDeque<(&'static str, FaultKind)>,
        calls: BTreeMap<&'static str, usize>,
        receipts: u64,
        extended: Vec<Duration>,
    }

    struct Kept {
        body: String,
        receipt: String,
        receives: u32,
        visible: Instant,
    }

    pub(crate) fn fault(action: &'static str, kind: FaultKind) -> Fault {
        Fault {
            action,
            kind,
            code: format!("{kind:?}"),
            reason: format!("played {kind:?}"),
        }
    }

    impl Played {
        pub(crate) fn new() -> Arc<Self> {
            Arc::default()
        }

        pub(crate) fn send(&self, id: &str, body: impl Into<String>) {
            let kept = Kept {
                body: body.into(),
                receipt: String::new(),
                receives: 0,
                visible: Instant::now(),
            };
            self.state.lock().unwrap().messages.insert(id.to_owned(), kept);
            self.changed.notify_waiters();
        }

        /// The next call of `action` fails. One that may have happened has happened.
        pub(crate) fn fail(&self, action: &'static str, kind: FaultKind) {
            self.state.lock().unwrap().faults.push_back((action, kind));
        }

        pub(crate) fn calls(&self, action: &'static str) -> usize {
            *self.state.lock().unwrap().calls.get(action).unwrap_or(&0)
        }

        /// What is not deleted.
        pub(crate) fn left(&self) -> Vec<String> {
            self.state.lock().unwrap().messages.keys().cloned().collect()
        }

        /// Messages that anybody could receive now.
        pub(crate) fn visible(&self) -> usize {
            let now = Instant::now();
            let state = self.state.lock().unwrap();
            state.messages.values().filter(|kept| kept.visible <= now).count()
        }

        pub(crate) fn extended(&self) -> Vec<Duration> {
            self.state.lock().unwrap().extended.clone()
        }

        fn called(&self, action: &'static str) -> Option<FaultKind> {
            let mut state = self.state.lock().unwrap();
            *state.calls.entry(action).or_default() += 1;
            let is_next = state.faults.front().is_some_and(|(of, _)| *of == action);
            is_next.then(|| state.faults.pop_front().unwrap().1)
        }
    }

    fn bad_receipt(index: usize) -> EntryFault {
        EntryFault {
            index,
            is_final: true,
            reason: "the receipt is not valid".to_owned(),
        }
    }

    #[async_trait]
    impl SqsApi for Played {
        async fn receive(&self, request: ReceiveRequest) -> Result<Vec<QueueMessage>, Fault> {
            let action = "sqs:ReceiveMessage";
            let failed = self.called(action);
            if let Some(kind) = failed.filter(|kind| *kind != FaultKind::Unknown) {
                return Err(fault(action, kind));
            }
            let until = Instant::now() + request.wait;
            loop {
                let changed = self.changed.notified();
                let mut got = Vec::new();
                let mut next_visible = until;
                {
                    let mut state = self.state.lock().unwrap();
                    let now = Instant::now();
                    let mut receipts = state.receipts;
                    for (id, kept) in &mut state.messages {
                        if kept.visible > now || got.len() == request.messages_max {
                            next_visible = next_visible.min(kept.visible.max(now));
                            continue;
                        }
                        receipts += 1;
                        kept.receives += 1;
                        kept.receipt = format!("{id}/{receipts}");
                        kept.visible = now + request.visibility;
                        got.push(QueueMessage {
                            id: id.clone(),
                            receipt: kept.receipt.clone(),
                            body: kept.body.clone(),
                            receives: kept.receives,
                        });
                    }
                    state.receipts = receipts;
                }
                if failed.is_some() {
                    return Err(fault(action, FaultKind::Unknown));
                }
                if !got.is_empty() || Instant::now() >= until {
                    return Ok(got);
                }
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(next_visible) => {}
                }
            }
        }

        async fn delete(&self, receipts: Vec<String>) -> Result<Vec<EntryFault>, Fault> {
            assert!((1..=BATCH_MAX).contains(&receipts.len()));
            let action = "sqs:DeleteMessage";
            let failed = self.called(action);
            let mut faults = Vec::new();
            if failed.is_none_or(|kind| kind == FaultKind::Unknown) {
                let mut state = self.state.lock().unwrap();
                for (index, receipt) in receipts.iter().enumerate() {
                    let before = state.messages.len();
                    state.messages.retain(|_, kept| kept.receipt != *receipt);
                    if state.messages.len() == before {
                        faults.push(bad_receipt(index));
                    }
                }
            }
            failed.map_or(Ok(faults), |kind| Err(fault(action, kind)))
        }

        async fn extend(
            &self,
            receipts: Vec<String>,
            visibility: Duration,
        ) -> Result<Vec<EntryFault>, Fault> {
            assert!((1..=BATCH_MAX).contains(&receipts.len()));
            let action = "sqs:ChangeMessageVisibility";
            if let Some(kind) = self.called(action) {
                return Err(fault(action, kind));
            }
            let mut faults = Vec::new();
            let mut state = self.state.lock().unwrap();
            state.extended.push(visibility);
            for (index, receipt) in receipts.iter().enumerate() {
                match state.messages.values_mut().find(|kept| kept.receipt == *receipt) {
                    Some(kept) => kept.visible = Instant::now() + visibility,
                    None => faults.push(bad_receipt(index)),
                }
            }
            drop(state);
            self.changed.notify_waiters();
            Ok(faults)
        }
    }
}
