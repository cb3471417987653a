use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Material, Tls, TlsError};

/// Handshakes under way at once; more connections wait to be looked at.
const HANDSHAKES_MAX: usize = 128;

/// For one handshake. A client that connects and says nothing must not take up a place for ever.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// `incoming` behind TLS. The future that comes second keeps an eye on the files and never ends.
///
/// # Errors
/// The files cannot be used.
pub(crate) async fn secured<I, C>(
    tls: &Tls,
    incoming: I,
) -> Result<
    (
        impl Stream<Item = io::Result<TlsStream<C>>> + use<I, C>,
        impl Future<Output = ()> + use<I, C>,
    ),
    TlsError,
>
where
    I: Stream<Item = io::Result<C>>,
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut in_force = tls.material().await?;
    let current = tls.shared.current.subscribe();
    let handshakes = incoming.map(move |connection| {
        if let Some(newer) = &*current.borrow() {
            in_force = Arc::clone(newer);
        }
        handshake(connection, Arc::clone(&in_force))
    });
    let connections = handshakes
        .buffer_unordered(HANDSHAKES_MAX)
        .filter_map(|connection| async move { connection });
    Ok((connections, watch(tls.clone())))
}

/// `None` for a client that is turned away: that ends no server.
async fn handshake<C>(connection: io::Result<C>, material: Arc<Material>) -> Option<io::Result<TlsStream<C>>>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return Some(Err(error)),
    };
    let acceptor = TlsAcceptor::from(Arc::clone(&material.server));
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(connection)).await {
        Ok(Ok(stream)) => Some(Ok(stream)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "tls handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("tls handshake not ended in time");
            None
        }
    }
}

async fn watch(tls: Tls) {
    // Without the signal there is still the clock.
    let mut hangups = signal(SignalKind::hangup()).ok();
    loop {
        let hung_up = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = hung_up => {}
            () = tokio::time::sleep(tls.shared.poll_every) => {}
        }
        // What is wrong has been logged.
        let _ = tls.refresh().await;
    }
}
