use std::time::Duration;

use streamalert_config::{Settings, StoreType};
use streamalert_types::Clock;

use crate::assembly;

/// This process among those that share its store.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its name in the lease table.
    pub(crate) id: String,
    /// No other process reaches the store.
    pub(crate) alone: bool,
    /// How long a lease stands still before another node takes it.
    pub(crate) term: Duration,
}

impl Member {
    /// As the settings say.
    pub(crate) fn of(settings: &Settings, clock: &dyn Clock) -> Self {
        let alone = settings.store.r#type == StoreType::Embedded;
        let id = match &settings.node.id {
            Some(id) => id.clone(),
            // The file is locked, so there is only one.
            None if alone => "local".to_owned(),
            None => {
                let host = rustix::system::uname();
                let host = host.nodename().to_string_lossy().into_owned();
                format!("{host}-{:x}", assembly::process_seed(clock))
            }
        };
        Self {
            id,
            alone,
            term: Duration::from_secs(settings.node.lease_secs),
        }
    }
}
