use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::view::View;
use crate::{AckedClient, ClientOptions, Exchange, LinkState};

/// One client for each node that was ever an owner and still is, or still has something to answer.
pub(super) struct Links<X: Exchange> {
    /// For each; the address is put in.
    options: ClientOptions,
    /// Looked into for every request, by all lanes at once. Nothing depends on the order in it.
    clients: DashMap<Arc<str>, AckedClient<X>>,
    /// How many were made, so that each gets a seed of its own.
    made: AtomicU64,
    view: watch::Sender<View>,
    refresh: Arc<Notify>,
    stop: CancellationToken,
}

impl<X: Exchange> Links<X> {
    pub(super) fn new(
        options: ClientOptions,
        view: watch::Sender<View>,
        refresh: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            options,
            clients: DashMap::new(),
            made: AtomicU64::new(0),
            view,
            refresh,
            stop,
        }
    }

    /// The client of the node at `address`, made when there is none.
    pub(super) fn get(&self, address: &Arc<str>) -> AckedClient<X> {
        if let Some(client) = self.clients.get(address)
            && !client.is_stopped()
        {
            return client.clone();
        }
        // Two that come here at once: the entry lets the second find what the first made.
        let mut client = self
            .clients
            .entry(Arc::clone(address))
            .or_insert_with(|| self.connect(Arc::clone(address)));
        if client.is_stopped() {
            *client = self.connect(Arc::clone(address));
        }
        client.clone()
    }

    /// Forgets clients of nodes that own nothing any more. Whoever still waits for one's answer keeps it alive.
    pub(super) fn retain(&self, addresses: &BTreeSet<&str>) {
        self.clients.retain(|address, _| addresses.contains(&**address));
    }

    fn connect(&self, address: Arc<str>) -> AckedClient<X> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let options = ClientOptions {
            address: address.to_string(),
            seed: self.options.seed.wrapping_add(number),
            ..self.options.clone()
        };
        let (client, task) = AckedClient::new(options);
        let mut state = client.link_state();
        let (view, refresh) = (self.view.clone(), Arc::clone(&self.refresh));
        let watching = async move {
            loop {
                let up = match &*state.borrow_and_update() {
                    LinkState::Connecting => None,
                    LinkState::Up | LinkState::Stopped => Some(true),
                    LinkState::Down { .. } => Some(false),
                };
                if let Some(up) = up
                    && view.send_if_modified(|view| view.link(&address, up))
                    && !up
                {
                    refresh.notify_one();
                }
                // An error says that the client has ended.
                if state.changed().await.is_err() {
                    view.send_if_modified(|view| view.link(&address, true));
                    return;
                }
            }
        };
        let stop = self.stop.clone();
        tokio::spawn(async move { tokio::join!(task.run(stop), watching) });
        client
    }
}
