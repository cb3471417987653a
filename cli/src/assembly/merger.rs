use std::sync::Arc;
use std::time::Duration;

use streamalert_config::Settings;
use streamalert_merger::{Merger, MergerHandle, MergerOptions, MergerTask};
use streamalert_proto::Deliveries;
use streamalert_types::Clock;

use crate::assembly::{Member, Stores};
use crate::failure::Failure;

/// What the settings say of a merger, which others reach at `address`.
pub(crate) fn merger_options(settings: &Settings, member: &Member, address: Option<String>) -> MergerOptions {
    let merger = &settings.merger;
    let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    MergerOptions {
        shards: u16::try_from(merger.shards).unwrap_or(u16::MAX),
        group_alerts_max: merger.group_alerts_max,
        group_bytes_max: bytes(merger.group_bytes_max),
        groups_max: merger.groups_max,
        groups_bytes_max: bytes(merger.groups_bytes_max),
        accept_bytes_max: bytes(merger.in_flight_bytes_max),
        output_deliveries_max: merger.in_flight_per_output_max,
        node: member.id.clone(),
        alone: member.alone,
        address,
        lease: member.term,
        alerts_kept: Duration::from_hours(settings.data.alerts_kept_days * 24),
        ..MergerOptions::default()
    }
}

/// Starts a merger on the embedded store.
pub(crate) async fn start_merger(
    options: MergerOptions,
    stores: &Stores,
    deliveries: Arc<dyn Deliveries>,
    clock: Arc<dyn Clock>,
) -> Result<(MergerHandle, MergerTask), Failure> {
    Merger::start(
        options,
        stores.alerts.clone(),
        stores.leases.clone(),
        deliveries,
        clock,
    )
    .await
    .map_err(|error| Failure::while_doing("cannot start the merger", error))
}
