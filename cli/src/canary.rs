//! Canaries: alerts that say that nothing happened, sent to outputs time and again, so that it shows when alerts stop
//! arriving before one is needed. They go the way of all alerts from the merger on: durable, paced, retried. Whether one
//! has arrived is what the store says of it. Ids are made of output and moment, so that several processes, or one that
//! starts again, send each of them once.

mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamalert_proto::Alerts;
use streamalert_service::Shutdown;
use streamalert_store::AlertStore;
use streamalert_types::{Alert, AlertBatch, AlertId, Clock, DeliveryOutcome, OutputName, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, timeout};

use self::schedule::{Effect, Event, Found, Schedule};
use crate::explain::{object, text};
use crate::failure::Failure;
use crate::health::{HealthCounts, HealthEvent, HealthKind, own_alert};
use crate::reload::outputs::Configured;

pub(crate) use self::schedule::Standing;

/// The rule that canaries seem to come from.
const RULE: &str = "streamalert_canary";

/// How often it is seen whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// For one call of the merger or the store, which may be elsewhere.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of all canaries, for `status` and metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct CanaryBoard(Arc<Mutex<BTreeMap<OutputName, Standing>>>);

impl CanaryBoard {
    /// By output.
    pub(crate) fn standings(&self) -> BTreeMap<OutputName, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, standings: BTreeMap<OutputName, Standing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }
}

/// Sends the canaries of a process, and looks after them.
pub(crate) struct Canaries {
    pub(crate) alerts: Arc<dyn Alerts>,
    pub(crate) store: Arc<dyn AlertStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) configured: watch::Receiver<Arc<Configured>>,
    pub(crate) board: CanaryBoard,
    pub(crate) counts: Arc<HealthCounts>,
}

impl Canaries {
    /// Goes on until the process drains.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), Failure> {
        let mut schedule = Schedule::default();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut event = Event::Configured(wanted(&self.configured.borrow_and_update()));
        loop {
            // A store that does not answer must not hold up the end.
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                () = self.go_on(&mut schedule, event) => {}
            }
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                _ = looks.tick() => {}
            }
            event = match self.configured.has_changed() {
                Ok(true) => Event::Configured(wanted(&self.configured.borrow_and_update())),
                Ok(false) | Err(_) => Event::Tick,
            };
        }
    }

    async fn go_on(&self, schedule: &mut Schedule, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in schedule.apply(self.clock.now(), event) {
                match effect {
                    Effect::Look { output, at } => {
                        let found = self.look(&output, at).await;
                        events.push(Event::Looked { output, at, found });
                    }
                    Effect::Send { output, at } => {
                        let done = self.hand_on(canary(&output, at)).await;
                        events.push(Event::HandedOn { output, at, done });
                    }
                    Effect::Missing { output, expected } => self.missing(&output, expected).await,
                    Effect::Back { output } => tracing::info!(%output, "canaries arrive again"),
                }
            }
            self.board.set(schedule.standings());
        }
    }

    async fn look(&self, output: &OutputName, at: Timestamp) -> Option<Found> {
        let id = AlertId::of_canary(output, at);
        match timeout(CALL_TIMEOUT, self.store.view(id)).await {
            Ok(Ok(None)) => Some(Found::Nothing),
            Ok(Ok(Some(view))) => Some(match view.settled.get(output) {
                Some(DeliveryOutcome::Delivered { .. }) => Found::Arrived,
                Some(DeliveryOutcome::DeadLettered { .. }) => Found::GivenUp,
                None => Found::UnderWay,
            }),
            Ok(Err(error)) => {
                tracing::warn!(%output, %error, "what became of a canary is not known, looking again");
                None
            }
            Err(_) => None,
        }
    }

    /// Whether it is known to be durable.
    async fn hand_on(&self, alert: Alert) -> bool {
        let batch = AlertBatch {
            alerts: vec![Arc::new(alert)],
        };
        match timeout(CALL_TIMEOUT, self.alerts.accept(batch)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an alert of the program's own is not handed on, trying again");
                false
            }
            Err(_) => false,
        }
    }

    async fn missing(&self, output: &OutputName, expected: Timestamp) {
        tracing::warn!(%output, %expected, "no canary arrives: alerts for the output may not arrive either");
        self.counts.count(HealthKind::CanaryMissing);
        let outputs: BTreeSet<OutputName> = self.configured.borrow().settings.health.output_names();
        if outputs.is_empty() {
            return;
        }
        let event = HealthEvent {
            kind: HealthKind::CanaryMissing,
            rule: None,
            reason: format!(
                "no canary has arrived at {output}, the first that is missing is that of {expected}"
            ),
            until: None,
            rules_version: "".into(),
        };
        // The log and the metric stay, where it cannot be handed on.
        self.hand_on(event.alert(&outputs, self.clock.now())).await;
    }
}

/// Which outputs get canaries, and how often: as the settings say, and never the history.
fn wanted(configured: &Configured) -> BTreeMap<OutputName, Duration> {
    let Configured { settings, conf } = configured;
    let names: BTreeSet<OutputName> = conf
        .outputs
        .names()
        .chain(settings.outputs.keys().cloned())
        .collect();
    let every = |name: &OutputName| settings.limits_of(name).canary_secs.filter(|secs| *secs > 0);
    let wanted = names.into_iter().filter(|name| *name != OutputName::history());
    wanted
        .filter_map(|name| {
            let secs = every(&name)?;
            Some((name, Duration::from_secs(secs)))
        })
        .collect()
}

/// The canary of one moment: the same whoever makes it.
fn canary(output: &OutputName, at: Timestamp) -> Alert {
    let record = object([
        (
            "message",
            text("This is a canary. Nothing happened, and nothing is to be done."),
        ),
        ("output", text(output.as_str())),
        ("scheduled", text(&at.to_string())),
    ]);
    Alert {
        log_source: "streamalert:canary".into(),
        source_entity: "canary".into(),
        ..own_alert(
            AlertId::of_canary(output, at),
            RULE,
            "description: A canary, sent time and again to show that alerts arrive here. Nothing happened, and nothing \
             is to be done.\nseverity: info\n",
            &record,
            BTreeSet::from([output.clone()]),
            at,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_the_same_for_everybody_and_says_what_it_is() {
        let (output, at): (OutputName, Timestamp) = (
            "slack:ops".parse().unwrap(),
            "2026-01-31T08:00:00.000000Z".parse().unwrap(),
        );
        let one = canary(&output, at);
        assert_eq!(one.id, canary(&output, at).id);
        assert_ne!(one.id, canary(&output, at.plus(Duration::from_secs(1))).id);
        assert_ne!(one.id, canary(&"slack:soc".parse().unwrap(), at).id);
        assert_eq!(one.outputs, BTreeSet::from([output]));
        assert!(one.rule_description.contains("canary") && one.rule_name.contains("canary"));
        assert_eq!(one.created, at);
    }
}
