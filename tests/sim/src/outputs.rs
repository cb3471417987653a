//! Outputs that note what they get and behave as they are told.

use std::time::Duration;

use async_trait::async_trait;
use streamalert_dispatcher::{Output, Publication, Receipt, SendError};
use tokio::time::{Instant, sleep};

use crate::clock::elapsed;
use crate::history::is_merged;
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
        self.world
            .inner()
            .history
            .delivered(elapsed(), alert, &publication.output);
        if loses {
            return Err(SendError::unsure("answer lost"));
        }
        Ok(Receipt::default())
    }
}
