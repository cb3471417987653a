use std::sync::Arc;

use streamalert_types::{Alert, BatchId, Delivery, DeliveryOutcome, Update};

use crate::{MalformedMessage, v1};

impl v1::DeliverRequest {
    /// The message that carries `delivery`.
    #[must_use]
    pub fn new(id: BatchId, delivery: &Delivery) -> Self {
        Self {
            batch_id: id.0,
            traceparent: delivery.alert.traceparent.to_string(),
            alert: Some(v1::Alert::from(&*delivery.alert)),
            output: delivery.output.as_str().to_owned(),
            update: delivery.update.as_ref().map(|update| v1::Update {
                reference: update.reference.as_deref().map(str::to_owned),
            }),
        }
    }

    /// The delivery that this message carries.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn into_delivery(self) -> Result<Delivery, MalformedMessage> {
        let alert = self.alert.ok_or(MalformedMessage::Missing {
            field: "DeliverRequest.alert",
        })?;
        let output = self
            .output
            .parse()
            .map_err(|error| MalformedMessage::value("DeliverRequest.output", error))?;
        Ok(Delivery {
            alert: Arc::new(Alert::try_from(alert)?),
            output,
            update: self.update.map(|update| Update {
                reference: update.reference.map(Arc::from),
            }),
        })
    }
}

impl v1::DeliverAck {
    /// The message that tells how delivery `id` ended.
    #[must_use]
    pub fn new(id: BatchId, outcome: &DeliveryOutcome) -> Self {
        let outcome = match outcome {
            DeliveryOutcome::Delivered { attempts, reference } => {
                v1::deliver_ack::Outcome::Delivered(v1::Delivered {
                    attempts: *attempts,
                    reference: reference.as_deref().map(str::to_owned),
                })
            }
            DeliveryOutcome::DeadLettered { attempts, reason } => {
                v1::deliver_ack::Outcome::DeadLettered(v1::DeadLettered {
                    attempts: *attempts,
                    reason: reason.clone(),
                })
            }
        };
        Self {
            batch_id: id.0,
            outcome: Some(outcome),
        }
    }

    /// How the delivery ended.
    ///
    /// # Errors
    /// There is no outcome.
    pub fn into_outcome(self) -> Result<DeliveryOutcome, MalformedMessage> {
        match self.outcome.ok_or(MalformedMessage::Missing {
            field: "DeliverAck.outcome",
        })? {
            v1::deliver_ack::Outcome::Delivered(end) => Ok(DeliveryOutcome::Delivered {
                attempts: end.attempts,
                reference: end.reference.map(Arc::from),
            }),
            v1::deliver_ack::Outcome::DeadLettered(end) => Ok(DeliveryOutcome::DeadLettered {
                attempts: end.attempts,
                reason: end.reason,
            }),
        }
    }
}
