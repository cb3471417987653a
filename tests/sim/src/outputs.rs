//! Outputs that note what they get and behave as they are told.

use std::time::Duration;

use async_trait::async_trait;
use streamalert_dispatcher::{IncidentAction, Output, Publication, Receipt, SendError};
use streamalert_types::{AlertId, Merging};
use tokio::time::{Instant, sleep};

use crate::clock::elapsed;
use crate::history::is_merged;
use crate::invariants::Invariant;
use crate::mutants::Mutant;
use crate::script::numbers;
use crate::world::{Behaviour, World};

/// `sim:b` never takes alerts of every so many payloads: there are dead letters in every run.
const REFUSED_EVERY: u64 = 13;

/// One output.
pub(crate) struct NotedOutput {
    pub(crate) name: String,
    pub(crate) world: World,
}

/// What the outputs call the incident that an alert opened.
fn reference(alert: AlertId) -> String {
    format!("incident-{alert}")
}

impl NotedOutput {
    /// An update comes after the alert that it follows was taken, and with what was answered then. One that opens the
    /// incident comes where that alert never arrived for certain.
    fn check_order(&self, publication: &Publication) {
        let (alert, incident) = (&publication.alert, publication.incident());
        let Merging::Follows(first) = alert.merging else {
            return;
        };
        let mut inner = self.world.inner();
        let taken = inner
            .history
            .delivered
            .contains_key(&(first, publication.output.clone()));
        let known = publication.reference.as_deref() == Some(reference(first).as_str());
        if incident.action == IncidentAction::Update && !(taken && known) {
            let seen = format!(
                "{} took {} after {first}: taken {taken}, known {known}",
                publication.output, alert.id
            );
            inner.history.violated(elapsed(), Invariant::O1, seen);
        }
        inner.history.figures.updates += u64::from(incident.action == IncidentAction::Update);
    }
}

#[async_trait]
impl Output for NotedOutput {
    async fn send(
        &self,
        publication: &Publication,
        _key: &str,
        _deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let behaviour = self.world.inner().outputs.get(&self.name).copied();
        let pause = Duration::from_micros(self.world.roll(50_000));
        let loses = match behaviour.unwrap_or(Behaviour::Well) {
            Behaviour::Well => false,
            Behaviour::Down => {
                sleep(pause).await;
                return Err(SendError::retry("connection refused"));
            }
            Behaviour::Slow(each) => {
                sleep(each).await;
                false
            }
            Behaviour::LosesAnswers(percent) => self.world.roll(100) < u64::from(percent),
        };
        sleep(pause).await;
        let alert = &publication.alert;
        let refused = |number: &u64| number.is_multiple_of(REFUSED_EVERY);
        if self.name == "sim:b" && !is_merged(alert) && numbers(&alert.record).iter().any(refused) {
            return Err(SendError::permanent("not for us"));
        }
        if self.world.is(Mutant::DropsDeliveries) && self.world.roll(20) == 0 {
            return Ok(Receipt::default());
        }
        self.check_order(publication);
        self.world
            .inner()
            .history
            .delivered(elapsed(), alert, &publication.output);
        if loses {
            return Err(SendError::unsure("answer lost"));
        }
        Ok(Receipt {
            reference: Some(reference(alert.id)),
        })
    }
}
