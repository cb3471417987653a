mod board;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use streamalert_proto::{Evaluated, NeighbourError, Records};
use streamalert_types::RecordBatch;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::board::{Board, Outcome};
use crate::peers::Nodes;
use crate::{AckedClient, ClientOptions, Exchange, LinkState, PeerNames, RecordsExchange, Resolver};

/// All rules-nodes, as one.
pub type BalancedRecords = BalancedClient<RecordsExchange>;

/// How nodes of which any will do are found and called.
#[derive(Debug, Clone)]
pub struct BalancedOptions {
    /// Where they are.
    pub names: PeerNames,
    /// How names are looked up.
    pub resolver: Resolver,
    /// How often they are; also whenever a link breaks.
    pub resolve_every: Duration,
    /// How each node is called; its address is put in, and the name of a DNS entry as the name that its certificate
    /// must carry.
    pub client: ClientOptions,
}

impl BalancedOptions {
    /// Nodes by `names`, which are looked up every ten seconds.
    #[must_use]
    pub fn new(names: PeerNames, client: ClientOptions) -> Self {
        Self {
            names,
            resolver: Resolver::system(),
            resolve_every: Duration::from_secs(10),
            client,
        }
    }
}

/// Nodes of which any will do, as one neighbour: each request goes to the one with the least bytes outstanding of those
/// that can be reached; when its link breaks, to another one. Clones share everything.
pub struct BalancedClient<X: Exchange> {
    inner: Arc<Inner<X>>,
}

impl<X: Exchange> Clone for BalancedClient<X> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

impl<X: Exchange> std::fmt::Debug for BalancedClient<X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BalancedClient")
            .field("names", &self.inner.options.names)
            .finish_non_exhaustive()
    }
}

struct Inner<X: Exchange> {
    options: BalancedOptions,
    /// Told of when links change; how busy each peer is changes silently.
    board: watch::Sender<Board>,
    /// Looked into for every batch. Nothing depends on the order in it.
    clients: DashMap<Arc<str>, AckedClient<X>>,
    resolve: Arc<Notify>,
    origin: Instant,
}

/// A request at a peer, counted as long as this lives.
struct Sent<'a> {
    board: &'a watch::Sender<Board>,
    origin: Instant,
    address: Arc<str>,
    weight_bytes: u64,
    outcome: Outcome,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let now = self.origin.elapsed();
        self.board.send_if_modified(|board| {
            board.ended(now, &self.address, self.weight_bytes, self.outcome);
            false
        });
    }
}

impl<X: Exchange> BalancedClient<X>
where
    X::Item: Clone,
{
    /// A client and the task that looks peers up, which is to be run (by a supervisor). Nothing is sent before.
    pub fn new(options: BalancedOptions) -> (Self, PeersTask<X>) {
        let inner = Arc::new(Inner {
            options,
            board: watch::Sender::new(Board::default()),
            clients: DashMap::new(),
            resolve: Arc::new(Notify::new()),
            origin: Instant::now(),
        });
        let task = PeersTask {
            inner: Arc::clone(&inner),
            complaint: None,
        };
        (Self { inner }, task)
    }

    /// Has `item` answered by one of the peers. Waits while none can be reached. Dropping the future gives up.
    ///
    /// # Errors
    /// [`NeighbourError::Refused`] when a peer says so; the last [`NeighbourError::Unavailable`] when every one that
    /// was asked said so, each once at most, or the client is stopped.
    pub async fn submit(&self, item: X::Item) -> Result<X::Answer, NeighbourError> {
        let inner = &*self.inner;
        let weight_bytes = X::weight_bytes(&item);
        let mut refusals = 0;
        loop {
            let (mut sent, client) = self.choose(weight_bytes).await?;
            let mut links = inner.board.subscribe();
            let broken = async {
                // An error would say that the sender is gone, which is in `inner`.
                let gone = |board: &Board| board.stopped || !board.is_up(&sent.address);
                drop(links.wait_for(gone).await);
            };
            let result = tokio::select! {
                biased;
                result = client.submit(item.clone()) => result,
                // The answer is lost with the link: asked again elsewhere, which neighbours allow.
                () = broken => continue,
            };
            match result {
                Err(error) if error.is_retryable() => {
                    sent.outcome = Outcome::Unavailable;
                    drop(sent);
                    refusals += 1;
                    if refusals >= inner.board.borrow().len() {
                        return Err(error);
                    }
                }
                answer => {
                    sent.outcome = Outcome::Answered;
                    return answer;
                }
            }
        }
    }

    /// The next peer, as soon as there is one.
    async fn choose(&self, weight_bytes: u64) -> Result<(Sent<'_>, AckedClient<X>), NeighbourError> {
        let inner = &*self.inner;
        let mut links = inner.board.subscribe();
        loop {
            let now = inner.origin.elapsed();
            let (mut chosen, mut rested, mut stopped) = (None, None, false);
            links.mark_unchanged();
            inner.board.send_if_modified(|board| {
                chosen = board.choose(now, weight_bytes);
                rested = board.next_rested(now);
                stopped = board.stopped;
                false
            });
            if stopped {
                return Err(NeighbourError::Unavailable {
                    service: X::SERVICE,
                    reason: "client stopped".to_owned(),
                });
            }
            if let Some(address) = chosen {
                let sent = Sent {
                    board: &inner.board,
                    origin: inner.origin,
                    address,
                    weight_bytes,
                    outcome: Outcome::Dropped,
                };
                // There is one: a peer is chosen when its link is up.
                let client = inner.clients.get(&sent.address).map(|client| client.clone());
                if let Some(client) = client {
                    return Ok((sent, client));
                }
            }
            let rested = rested.map(|at| inner.origin + at);
            tokio::select! {
                biased;
                // The sender is in `inner`, which this has.
                _ = links.changed() => {}
                () = sleep_until(rested.unwrap_or(inner.origin)), if rested.is_some() => {}
            }
        }
    }
}

/// The task of a [`BalancedClient`]: looks peers up and keeps a link to each.
#[must_use = "a client does nothing until its task runs"]
pub struct PeersTask<X: Exchange> {
    inner: Arc<Inner<X>>,
    /// What the last failure was about, so that the log tells it once.
    complaint: Option<String>,
}

impl<X: Exchange> PeersTask<X> {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let every = self.inner.options.resolve_every;
        loop {
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.resolve(&stop) => {}
            }
            // A name that is looked up at every broken link, but not without a pause.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(begun + every / 10) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.inner.resolve.notified() => {}
                () = sleep_until(begun + every) => {}
            }
        }
        self.inner.board.send_modify(|board| board.stopped = true);
    }

    /// A name that cannot be looked up, or has no addresses, leaves things as they are.
    async fn resolve(&mut self, stop: &CancellationToken) {
        let options = &self.inner.options;
        let found = match options.resolver.resolve(&options.names).await {
            Ok(found) if found.is_empty() => Err("no addresses".to_owned()),
            found => found.map_err(|error| error.to_string()),
        };
        match found {
            Ok(nodes) => {
                if self.complaint.take().is_some() {
                    tracing::info!(service = X::SERVICE, "peers found again");
                }
                self.take_over(&nodes, stop);
            }
            Err(reason) => {
                if self.complaint.as_ref() != Some(&reason) {
                    tracing::warn!(
                        service = X::SERVICE,
                        reason,
                        "peers not found, going on with those known"
                    );
                    self.complaint = Some(reason);
                }
            }
        }
    }

    fn take_over(&self, nodes: &Nodes, stop: &CancellationToken) {
        let inner = &*self.inner;
        let mut new = Vec::new();
        // Who waits for one that is gone must hear of it.
        inner.board.send_modify(|board| new = board.set_peers(nodes));
        inner.clients.retain(|address, _| nodes.contains_key(&**address));
        for (address, generation) in new {
            let server_name = nodes.get(&*address).and_then(|node| node.server_name.clone());
            let client = self.connect(Arc::clone(&address), generation, server_name, stop.clone());
            inner.clients.insert(address, client);
        }
    }

    fn connect(
        &self,
        address: Arc<str>,
        generation: u64,
        server_name: Option<String>,
        stop: CancellationToken,
    ) -> AckedClient<X> {
        let inner = &*self.inner;
        let client = &inner.options.client;
        let options = ClientOptions {
            address: address.to_string(),
            server_name: client.server_name.clone().or(server_name),
            seed: client.seed.wrapping_add(generation),
            ..client.clone()
        };
        let (client, task) = AckedClient::new(options);
        let mut state = client.link_state();
        let (board, resolve) = (inner.board.clone(), Arc::clone(&inner.resolve));
        let watching = async move {
            loop {
                let up = matches!(*state.borrow_and_update(), LinkState::Up);
                if board.send_if_modified(|board| board.link(&address, generation, up)) && !up {
                    resolve.notify_one();
                }
                // An error says that the client has ended.
                if state.changed().await.is_err() {
                    board.send_if_modified(|board| board.link(&address, generation, false));
                    return;
                }
            }
        };
        tokio::spawn(async move { tokio::join!(task.run(stop), watching) });
        client
    }
}

#[async_trait]
impl Records for BalancedRecords {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        self.submit(batch).await
    }
}
