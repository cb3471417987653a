//! Sends dead letters through the pipeline again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamalert_classifier::Taker;
use streamalert_proto::Deliveries;
use streamalert_rules_node::RulesNode;
use streamalert_store::StoreError;
use streamalert_stream::PayloadForm;
use streamalert_types::{
    Alert, DeadLetter, DeadLetterKind, Delivery, DeliveryOutcome, Merging, OutputName, Position, Record,
    Sequence, Source, Update,
};
use streamalert_value::Value;

use crate::assembly::Stores;
use crate::explain::{object, text};

/// How long an output may take for one replayed delivery. It was given up once: its owner waits at the terminal.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(20);

/// Classifies, evaluates or delivers a dead letter again, and forgets it when that succeeds.
pub(crate) struct Replayer {
    pub(crate) taker: Mutex<Taker>,
    pub(crate) rules: RulesNode,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) stores: Stores,
}

impl Replayer {
    /// Replays one and says what came of it, as a row for the command line.
    pub(crate) async fn replay(&self, letter: &DeadLetter) -> Result<Value, StoreError> {
        let outcome = self.again(letter).await;
        let (word, detail) = match outcome {
            Ok(detail) => {
                self.stores.dead_letters.remove(&[letter.id]).await?;
                ("replayed", detail)
            }
            Err(reason) => ("kept", reason),
        };
        Ok(object([
            ("id", text(&letter.id.to_string())),
            ("outcome", text(word)),
            ("detail", text(&detail)),
        ]))
    }

    async fn again(&self, letter: &DeadLetter) -> Result<String, String> {
        if letter.truncated {
            return Err("only its beginning was kept; read its source again".to_owned());
        }
        match &letter.kind {
            DeadLetterKind::Unclassified { source, sub, .. } => self.classify(letter, source, *sub).await,
            DeadLetterKind::RuleFailure {
                log_type,
                data_type,
                source,
                position,
                sub,
                ..
            } => {
                // Under its old position: what the other rules raised on it is known, and not raised again.
                self.evaluate(vec![Record {
                    source: source.clone(),
                    position: position.clone(),
                    sub: *sub,
                    log_type: log_type.clone(),
                    data_type: *data_type,
                    json: letter.body.clone(),
                }])
                .await
            }
            DeadLetterKind::Undelivered { alert, output, .. } => {
                let view = self
                    .stores
                    .alerts
                    .view(*alert)
                    .await
                    .map_err(|error| error.to_string())?;
                let view = view.ok_or("its alert is no longer in the store")?;
                let update = self.update_of(&view.alert, output).await?;
                let delivery = Delivery {
                    alert: view.alert,
                    output: output.clone(),
                    update,
                };
                let delivered = tokio::time::timeout(DELIVERY_PATIENCE, self.deliveries.deliver(delivery));
                let delivered = delivered
                    .await
                    .map_err(|_| format!("{output} does not take it, see the log for why"))?;
                match delivered.map_err(|error| error.to_string())? {
                    DeliveryOutcome::Delivered { .. } => Ok(format!("delivered to {output}")),
                    DeliveryOutcome::DeadLettered { reason, .. } => Err(reason),
                }
            }
        }
    }

    /// Whether the output has the incident that the alert goes on with.
    async fn update_of(&self, alert: &Alert, output: &OutputName) -> Result<Option<Update>, String> {
        let Merging::Follows(first) = alert.merging else {
            return Ok(None);
        };
        let first = self.stores.alerts.view(first).await;
        let first = first.map_err(|error| error.to_string())?;
        Ok(first.and_then(|view| Update::of(view.settled.get(output)?)))
    }

    async fn classify(
        &self,
        letter: &DeadLetter,
        source: &Arc<Source>,
        sub: Option<u32>,
    ) -> Result<String, String> {
        // A position of its own: under the old one the alerts of its neighbours have been raised, and what comes
        // out now would be taken for them.
        let position = Position {
            partition: "dead-letter".into(),
            sequence: Sequence::Token(letter.id.to_string().into()),
        };
        let form = match (&*source.service, sub) {
            ("s3", None) => PayloadForm::Object,
            ("s3", Some(_)) => PayloadForm::ObjectLine,
            _ => PayloadForm::Message,
        };
        let taken = {
            let mut taker = self.taker.lock().unwrap_or_else(PoisonError::into_inner);
            taker.take(source, &position, letter.body.clone(), &form)
        };
        if let Some(refused) = taken.letters.first() {
            return Err(refused.reason.clone());
        }
        self.evaluate(taken.records).await
    }

    async fn evaluate(&self, records: Vec<Record>) -> Result<String, String> {
        let count = records.len();
        let log_type = records
            .first()
            .map(|record| record.log_type.to_string())
            .unwrap_or_default();
        let failures = self
            .rules
            .replay(records)
            .await
            .map_err(|error| error.to_string())?;
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(format!("{count} records of {log_type}")),
        }
    }
}
