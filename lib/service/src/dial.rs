use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::cause::with_causes;
use crate::{ClientOptions, limits};

/// One connection's bytes, in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A connection being made.
pub type Dial = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Makes connections. The seam for networks that are not the machine's, such as a simulated one.
#[derive(Clone)]
pub struct Dialer {
    dial: Arc<dyn Fn(Uri) -> Dial + Send + Sync>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self::tcp()
    }
}

impl Dialer {
    /// Connections by what `dial` does with the host and port of the URI.
    #[must_use]
    pub fn new(dial: impl Fn(Uri) -> Dial + Send + Sync + 'static) -> Self {
        Self { dial: Arc::new(dial) }
    }

    /// TCP connections of this machine. Names are resolved at every attempt.
    #[must_use]
    pub fn tcp() -> Self {
        Self::new(|uri| {
            Box::pin(async move {
                let authority = uri.authority().map(|authority| authority.as_str().to_owned());
                let address = authority.ok_or_else(|| io::Error::other("address without host"))?;
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as Box<dyn Io>)
            })
        })
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<Box<dyn Io>>> {
        Ok(TokioIo::new((self.dial)(uri).await?))
    }
}

/// A channel by `options`, connected.
pub(crate) async fn connect(options: &ClientOptions) -> Result<Channel, String> {
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", options.address))
        .map_err(|error| with_causes(&error))?
        .connect_timeout(options.connect_timeout)
        .http2_keep_alive_interval(options.keep_alive.interval)
        .keep_alive_timeout(options.keep_alive.timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW_BYTES);
    if let Some(tls) = &options.tls {
        let config = tls
            .client_config(options.server_name.as_deref())
            .await
            .map_err(|error| with_causes(&error))?;
        endpoint = endpoint.tls_config(config).map_err(|error| with_causes(&error))?;
    }
    let dialer = options.dialer.clone();
    let connector = tower::service_fn(move |uri| dialer.clone().connect(uri));
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| with_causes(&error))
}
