use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_detect::merge::Router;
use streamalert_types::{Alert, AlertBatch, Delivery, DeliveryOutcome, SlotId};

use crate::{AlertsExchange, DeliveriesExchange, Exchange};

/// An exchange whose items belong to slots, each of which one node owns by a lease.
pub trait Sharded: Exchange {
    /// What the keys of the leases begin with; the slot's number follows.
    const PREFIX: &'static str;
    /// What belongs to one slot.
    type Piece: Send + Sync;

    /// What of `item` belongs to which slot, in a deployment of `slots` slots.
    fn cut(item: Self::Item, slots: u16) -> BTreeMap<u16, Self::Piece>;
    /// The item of some pieces. `None` for no pieces, which nobody asks for.
    fn join(pieces: &[&Self::Piece]) -> Option<Self::Item>;
    /// The answer to an item that had no pieces; `None` where there is none such.
    fn nothing() -> Option<Self::Answer>;
}

impl Sharded for AlertsExchange {
    const PREFIX: &'static str = "merger/";
    type Piece = Vec<Arc<Alert>>;

    fn cut(item: AlertBatch, slots: u16) -> BTreeMap<u16, Vec<Arc<Alert>>> {
        let mut router = Router::new(slots);
        let mut pieces: BTreeMap<u16, Vec<Arc<Alert>>> = BTreeMap::new();
        for alert in item.alerts {
            // What cannot be merged is the merger's to tell.
            let (routed, _) = router.route(alert);
            pieces.entry(routed.shard.0).or_default().push(routed.alert);
        }
        pieces
    }

    fn join(pieces: &[&Vec<Arc<Alert>>]) -> Option<AlertBatch> {
        let alerts = pieces.iter().copied().flatten().cloned().collect();
        Some(AlertBatch { alerts })
    }

    fn nothing() -> Option<()> {
        Some(())
    }
}

impl Sharded for DeliveriesExchange {
    const PREFIX: &'static str = "dispatcher/";
    type Piece = Delivery;

    fn cut(item: Delivery, slots: u16) -> BTreeMap<u16, Delivery> {
        [(SlotId::of(&item.output, slots).0, item)].into()
    }

    fn join(pieces: &[&Delivery]) -> Option<Delivery> {
        pieces.first().map(|delivery| Delivery::clone(delivery))
    }

    fn nothing() -> Option<DeliveryOutcome> {
        None
    }
}
