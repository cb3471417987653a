use std::sync::Arc;

use streamalert_config::Settings;
use streamalert_store::{
    AlertStore, CheckpointStore, DeadLetterStore, EmbeddedOptions, EmbeddedStore, LeaseStore, OpenError,
};

use crate::failure::Failure;

/// The state of one process, in one file.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) alerts: Arc<dyn AlertStore>,
    pub(crate) dead_letters: Arc<dyn DeadLetterStore>,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    pub(crate) leases: Arc<dyn LeaseStore>,
}

/// What came of opening the data directory.
pub(crate) enum OpenStores {
    Open(Stores),
    /// Another process works on it; the text says so.
    Locked(String),
}

/// Opens the data directory, or says who has it.
pub(crate) fn try_open_stores(settings: &Settings) -> Result<OpenStores, Failure> {
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
            }))
        }
        Err(error @ OpenError::Locked { .. }) => Ok(OpenStores::Locked(error.to_string())),
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

/// Opens the data directory for this process alone.
pub(crate) fn open_stores(settings: &Settings) -> Result<Stores, Failure> {
    match try_open_stores(settings)? {
        OpenStores::Open(stores) => Ok(stores),
        OpenStores::Locked(reason) => Err(Failure::Other(reason)),
    }
}
