use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::Access;
use streamalert_config::{Settings, StoreType};
use streamalert_store::{
    AlertStore, CheckpointStore, DeadLetterStore, DynamoOptions, DynamoStore, EmbeddedOptions, EmbeddedStore,
    LeaseStore, OpenError, StoreError,
};
use streamalert_types::Clock;
use tokio::time::Instant;

use crate::assembly;
use crate::failure::Failure;

/// How long a start waits for a store that does not answer: as long as a source does.
const START_PATIENCE: Duration = Duration::from_secs(30);
const START_PAUSE: Duration = Duration::from_secs(1);

/// The state of one process in one file, or that of a fleet in DynamoDB.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) alerts: Arc<dyn AlertStore>,
    pub(crate) dead_letters: Arc<dyn DeadLetterStore>,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    pub(crate) leases: Arc<dyn LeaseStore>,
    /// No other process reaches this store.
    pub(crate) alone: bool,
}

/// What came of opening the store.
pub(crate) enum OpenStores {
    Open(Stores),
    /// Another process works on it; the text says so.
    Locked(String),
}

/// Opens the store of the settings, or says who has it. One in DynamoDB is not asked for anything yet.
pub(crate) async fn try_open_stores(settings: &Settings) -> Result<OpenStores, Failure> {
    match settings.store.r#type {
        StoreType::Embedded => embedded(settings),
        StoreType::Dynamodb => {
            let store = Arc::new(dynamo_store(settings).await?);
            Ok(OpenStores::Open(Stores {
                alerts: store.clone(),
                dead_letters: store.clone(),
                checkpoints: store.clone(),
                leases: store,
                alone: false,
            }))
        }
    }
}

fn embedded(settings: &Settings) -> Result<OpenStores, Failure> {
    let options = EmbeddedOptions {
        dead_letter_bytes_max: settings.data.dead_letters_bytes_max,
        ..EmbeddedOptions::new(&settings.data.dir)
    };
    match EmbeddedStore::open(options) {
        Ok(store) => {
            let store = Arc::new(store);
            Ok(OpenStores::Open(Stores {
                alerts: store.clone(),
                dead_letters: store.clone(),
                checkpoints: store.clone(),
                leases: store,
                alone: true,
            }))
        }
        Err(error @ OpenError::Locked { .. }) => Ok(OpenStores::Locked(error.to_string())),
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

/// The store in DynamoDB that the settings name.
pub(crate) async fn dynamo_store(settings: &Settings) -> Result<DynamoStore, Failure> {
    // Boxed: what reads the default chain is a large future, and it is awaited once.
    let config = Box::pin(store_access(settings).config()).await;
    if config.region().is_none() {
        return Err(Failure::Other(
            "no region for DynamoDB: set aws.region or store.region, or AWS_REGION in the environment"
                .to_owned(),
        ));
    }
    let clock = assembly::clock();
    let seed = process_seed(&*clock);
    Ok(DynamoStore::new(DynamoOptions {
        prefix: settings.store.table_prefix.clone(),
        bucket: settings.store.bucket.clone(),
        shards: u16::try_from(settings.merger.shards).unwrap_or(u16::MAX),
        clock,
        ..DynamoOptions::new(config, seed)
    }))
}

/// Where the tables are.
fn store_access(settings: &Settings) -> Access {
    let region = settings.store.region.as_ref().or(settings.aws.region.as_ref());
    Access {
        region: region.cloned(),
        endpoint_url: settings.aws.endpoint_url.clone(),
        role: None,
    }
}

/// The region of the tables, for people.
pub(crate) async fn store_region(settings: &Settings) -> String {
    let config = Box::pin(store_access(settings).config()).await;
    config
        .region()
        .map_or_else(|| "no region".to_owned(), ToString::to_string)
}

/// Opens the store for a service. Missing tables are told now, and not when the first alert comes.
pub(crate) async fn open_stores(settings: &Settings) -> Result<Stores, Failure> {
    if settings.store.r#type == StoreType::Dynamodb {
        let config = Box::pin(store_access(settings).config()).await;
        let region = config
            .region()
            .map_or_else(String::new, |region| format!(" in {region}"));
        let store = dynamo_store(settings).await?;
        let tables = patiently(|| store.plan_tables())
            .await
            .map_err(|error| Failure::while_doing("DynamoDB", error))?;
        let missing: Vec<String> = tables
            .into_iter()
            .filter(|table| table.new)
            .map(|table| table.name)
            .collect();
        if !missing.is_empty() {
            return Err(Failure::Other(format!(
                "DynamoDB has no table {}{region}; make what is missing with `streamalert aws init`, or mend \
                 store.table_prefix, store.region or aws.region",
                missing.join(", ")
            )));
        }
    }
    match try_open_stores(settings).await? {
        OpenStores::Open(stores) => Ok(stores),
        OpenStores::Locked(reason) => Err(Failure::Other(reason)),
    }
}

/// Makes a call of the start again that may succeed then: a process that starts while DynamoDB is busy, or out of reach
/// for a moment, would end otherwise, and starting it again makes DynamoDB no less busy.
async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && Instant::now() < deadline => {
                tracing::warn!(%error, "store not available yet, trying again");
                tokio::time::sleep(START_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Refuses a command that starts a merger of its own for a while, which would take shards from those that run.
pub(crate) fn needs_own_store(settings: &Settings, command: &str) -> Result<(), Failure> {
    match settings.store.r#type {
        StoreType::Embedded => Ok(()),
        StoreType::Dynamodb => Err(Failure::Other(format!(
            "{command} works on a store of its own, not on that of a fleet: give --set store.type=embedded"
        ))),
    }
}

/// Begins sequences that no other process may have: the moment of the start, and the process's number for those that
/// start in the same one.
#[expect(
    clippy::disallowed_methods,
    reason = "processes that start together must differ"
)]
pub(crate) fn process_seed(clock: &dyn Clock) -> u64 {
    assembly::jitter_seed(clock) ^ (u64::from(std::process::id()) << 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> StoreError {
        StoreError::Busy {
            reason: "throttled".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_half_a_minute_for_what_may_pass_and_not_for_what_does_not() {
        let mut calls = 0;
        let answer = patiently(|| {
            calls += 1;
            let answer = if calls < 20 { Err(busy()) } else { Ok(calls) };
            std::future::ready(answer)
        });
        assert_eq!(answer.await.unwrap(), 20);
        let mut calls = 0;
        let never = patiently(|| {
            calls += 1;
            std::future::ready(Err::<(), _>(busy()))
        });
        assert!(never.await.is_err());
        assert_eq!(calls, 31);
        let mut calls = 0;
        let wrong = patiently(|| {
            calls += 1;
            let reason = "denied".to_owned();
            std::future::ready(Err::<(), _>(StoreError::Refused { reason }))
        });
        assert!(wrong.await.is_err());
        assert_eq!(calls, 1);
    }
}
