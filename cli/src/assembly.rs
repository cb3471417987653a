//! Puts services together: each from the project's settings, with its neighbours as it is given them.

mod cloud;
mod dispatcher;
mod member;
mod merger;
mod outputs;
mod pipeline;
mod rules;
mod secrets;
mod sources;
mod stores;

pub(crate) use dispatcher::{delivery_limits, paces, start_dispatcher};
pub(crate) use member::Member;
pub(crate) use merger::{merger_options, start_merger};
pub(crate) use outputs::{Outputs, at, aws_region, candidate, outputs, place_of, registry};
pub(crate) use pipeline::Pipeline;
pub(crate) use rules::{
    cross_check, cross_check_of, load_errors, load_rules, rules_node, threat_intel, threat_intel_of,
};
pub(crate) use secrets::{Fields, secret_files, secrets, secrets_prefix};
pub(crate) use sources::{files_source, settings_sources, start_classifier, takers};
pub(crate) use stores::{
    OpenStores, Stores, dynamo_store, needs_own_store, open_stores, process_seed, store_region,
    try_open_stores,
};

use std::sync::Arc;

use streamalert_types::{Clock, SystemClock};

/// The machine's clock, shared.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The seed of this process's jitter. Jitter exists so that processes started together do not retry together, so
/// it must differ between them; nothing else depends on it.
pub(crate) fn jitter_seed(clock: &dyn Clock) -> u64 {
    clock.now().as_micros().unsigned_abs()
}
