use std::sync::Arc;

use streamalert_config::Service as Peer;
use streamalert_dispatcher::{DispatcherNode, SlotOptions};
use streamalert_proto::{Alerts, Deliveries, Records};
use streamalert_service::{
    BalancedOptions, BalancedRecords, ClientOptions, DispatcherClient, MergerClient, PeerNames, Peers,
    RulesNodeClient, ShardedAlerts, ShardedDeliveries, ShardedOptions, TaskKind,
};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::failure::Failure;

/// No limit of its own for deliveries that wait for a dispatcher: an output that is down would hold up the others.
const DELIVERIES_MAX: usize = 1 << 20;
const DELIVERIES_BYTES_MAX: u64 = 1 << 40;

/// Who is called.
enum Called {
    /// One node.
    One(ClientOptions),
    /// Any of those that have these names.
    Any(PeerNames),
    /// The owners of slots, by the lease table.
    Owners,
}

impl Node {
    /// The rules-nodes, of which any will do.
    pub(super) fn records(&mut self) -> Result<Arc<dyn Records>, Failure> {
        match self.called("peers.rules_node", Peer::RulesNode)? {
            Called::One(options) => {
                let (client, task) = RulesNodeClient::new(options);
                self.keep_link("rules-node client", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
            Called::Any(names) => {
                let options = BalancedOptions::new(names, self.client_options(String::new()));
                let (client, task) = BalancedRecords::new(options);
                self.keep_link("rules-node clients", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
            Called::Owners => Err(Failure::Other(
                "peers.rules_node: rules-nodes own nothing that a lease tells; write host:port,host:port, \
                 dns:host:port or srv:name"
                    .to_owned(),
            )),
        }
    }

    /// The mergers: whoever owns the shard of an alert.
    pub(super) fn alerts(&mut self) -> Result<Arc<dyn Alerts>, Failure> {
        match self.called("peers.merger", Peer::Merger)? {
            Called::One(options) => {
                let (client, task) = MergerClient::new(options);
                self.keep_link("merger client", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
            Called::Any(_) => Err(many("peers.merger")),
            Called::Owners => {
                let shards = slots(self.project.settings.merger.shards);
                let options = ShardedOptions::alerts(shards, self.client_options(String::new()));
                let (client, task) = ShardedAlerts::new(options, self.stores.leases.clone());
                self.keep_link("merger clients", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
        }
    }

    /// The dispatchers: whoever owns the slot of an output.
    pub(super) fn deliveries(&mut self) -> Result<Arc<dyn Deliveries>, Failure> {
        match self.called("peers.dispatcher", Peer::Dispatcher)? {
            Called::One(mut options) => {
                // The merger knows how much it hands over of each output; what else waits is in the store.
                options.pending_batches_max = DELIVERIES_MAX;
                options.pending_bytes_max = DELIVERIES_BYTES_MAX;
                let (client, task) = DispatcherClient::new(options);
                self.keep_link("dispatcher client", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
            Called::Any(_) => Err(many("peers.dispatcher")),
            Called::Owners => {
                let slots = slots(self.project.settings.dispatcher.slots);
                let options = ShardedOptions::deliveries(slots, self.client_options(String::new()));
                let (client, task) = ShardedDeliveries::new(options, self.stores.leases.clone());
                self.keep_link("dispatcher clients", |cut| task.run(cut));
                Ok(Arc::new(client))
            }
        }
    }

    /// Makes this process's dispatcher one of many, which others reach at `address`.
    pub(super) async fn share_outputs(
        &mut self,
        address: Option<String>,
    ) -> Result<Arc<dyn Deliveries>, Failure> {
        let Some(handle) = self.admin.dispatcher.clone() else {
            return Err(Failure::Other(
                "there is no dispatcher in this process".to_owned(),
            ));
        };
        let options = SlotOptions {
            slots: slots(self.project.settings.dispatcher.slots),
            lease: self.member.term,
            ..SlotOptions::new(&*self.member.id, address)
        };
        let started =
            DispatcherNode::start(options, handle, self.stores.leases.clone(), self.clock.clone()).await;
        let (node, task) =
            started.map_err(|error| Failure::while_doing("cannot start the dispatcher", error))?;
        self.supervisor.spawn("dispatcher slots", TaskKind::Service, task);
        self.admin.dispatcher_node = Some(node.clone());
        self.dispatcher_node = Some(node.clone());
        Ok(Arc::new(node))
    }

    fn called(&self, key: &str, peer: Peer) -> Result<Called, Failure> {
        let text = self.project.settings.peers_of(peer);
        let peers = Peers::parse(key, &text).map_err(|error| Failure::Other(error.to_string()))?;
        Ok(match peers {
            Peers::Leases => Called::Owners,
            Peers::Names(PeerNames::Listed(listed)) => match <[String; 1]>::try_from(listed) {
                Ok([address]) => Called::One(self.client_options(address)),
                Err(listed) => Called::Any(PeerNames::Listed(listed)),
            },
            Peers::Names(names) => Called::Any(names),
        })
    }

    fn client_options(&self, address: String) -> ClientOptions {
        let mut options = ClientOptions::new(address, self.seed);
        options.tls = self.tls.clone();
        options
    }

    /// Runs the client of a neighbour until the links are cut.
    fn keep_link<F>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = run(self.links.clone());
        self.supervisor.spawn(name, TaskKind::Helper, async move {
            running.await;
            Ok::<_, Failure>(())
        });
    }
}

fn slots(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn many(key: &str) -> Failure {
    Failure::Other(format!(
        "{key}: each owns a part of the work, so that one must be found by its lease; write \"leases\" \
         (with store.type = \"dynamodb\"), or one host:port"
    ))
}
