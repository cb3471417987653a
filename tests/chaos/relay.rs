//! A link between two processes that can be cut: what goes over it then neither arrives nor fails, until it is mended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What it carries at once.
const BUFFER_BYTES: usize = 16 << 10;

/// Listens on a port of its own and carries every connection to its target.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    link: Link,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Link {
    cut: watch::Sender<bool>,
    held: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let link = Link {
            cut: watch::Sender::new(false),
            held: Arc::default(),
        };
        let accepting = tokio::spawn(accept(listener, target, link.clone()));
        Self {
            address,
            link,
            accepting,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.link.cut.borrow()
    }

    pub(crate) fn cut(&self) {
        self.link.cut.send_replace(true);
    }

    /// What was held up goes on, as it does over a network that repeats what got lost.
    pub(crate) fn mend(&self) {
        self.link.cut.send_replace(false);
    }

    /// How many connections, and pieces of what goes over them, were held up so far.
    pub(crate) fn held(&self) -> usize {
        self.link.held.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Link {
    async fn passable(&self) {
        let mut cut = self.cut.subscribe();
        if *cut.borrow_and_update() {
            self.held.fetch_add(1, Ordering::Relaxed);
            // Not an error: the sender is ours.
            let _ = cut.wait_for(|cut| !cut).await;
        }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, link: Link) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((near, _)) = accepted {
                    connections.spawn(carry(near, target, link.clone()));
                }
            }
        }
    }
}

async fn carry(near: TcpStream, target: SocketAddr, link: Link) {
    link.passable().await;
    let Ok(far) = TcpStream::connect(target).await else {
        // As a process that does not run answers.
        let _ = near.set_zero_linger();
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near, far) = (near.into_split(), far.into_split());
    tokio::join!(one_way(near.0, far.1, &link), one_way(far.0, near.1, &link));
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: &Link) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await;
        // An end is news as well, and does not pass either.
        link.passable().await;
        match read {
            Ok(count) if count > 0 && to.write_all(&buffer[..count]).await.is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn say(stream: &mut TcpStream, word: &str) {
        stream.write_all(word.as_bytes()).await.unwrap();
    }

    async fn hear(stream: &mut TcpStream) -> String {
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer).into_owned()
    }

    #[tokio::test]
    async fn what_goes_over_a_cut_link_arrives_once_it_is_mended() {
        let relay = Relay::before(echo().await).await;
        let mut old = TcpStream::connect(relay.address()).await.unwrap();
        say(&mut old, "first").await;
        assert_eq!(hear(&mut old).await, "first");
        assert_eq!(relay.held(), 0);
        relay.cut();
        say(&mut old, "later").await;
        let mut new = TcpStream::connect(relay.address()).await.unwrap();
        say(&mut new, "other").await;
        while relay.held() < 2 {
            tokio::task::yield_now().await;
        }
        let silence = Duration::from_millis(100);
        assert!(tokio::time::timeout(silence, hear(&mut old)).await.is_err());
        assert!(tokio::time::timeout(silence, hear(&mut new)).await.is_err());
        relay.mend();
        assert_eq!(hear(&mut old).await, "later");
        assert_eq!(hear(&mut new).await, "other");
    }
}
