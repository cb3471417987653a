//! The connection to a receiver.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::config::{Protocol, Receiver};

/// For a connection, with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a kept connection is watched after a message: a receiver that is gone says so within a round trip.
const WATCH_FOR: Duration = Duration::from_millis(50);

/// A kept connection whose reader has seen the end of it.
const GONE: &str = "the receiver closed the connection";

/// A receiver that does not want us.
const REFUSED: &str =
    "the receiver closed the connection right after the handshake: does it want another certificate?";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Whether some of a message may have gone out.
#[derive(Default)]
pub(super) struct Begun(AtomicBool);

impl Begun {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A way to a receiver.
pub(super) struct Link {
    receiver: Receiver,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    writer: WriteHalf<Box<dyn Stream>>,
    /// True when the receiver has closed it.
    gone: watch::Receiver<bool>,
}

impl Link {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            kept: Mutex::default(),
        }
    }

    pub(super) async fn send(&self, message: &[u8], begun: &Begun) -> io::Result<()> {
        let frame = match &self.receiver.protocol {
            Protocol::Udp => return self.send_datagram(message, begun).await,
            Protocol::Tls(..) | Protocol::Tcp => self.frame(message),
        };
        if self.receiver.is_kept {
            self.send_kept(&frame, begun).await
        } else {
            self.send_alone(&frame, begun).await
        }
    }

    fn frame(&self, message: &[u8]) -> Vec<u8> {
        if self.receiver.counts_octets {
            [format!("{} ", message.len()).as_bytes(), message].concat()
        } else {
            [message, b"\n"].concat()
        }
    }

    async fn send_datagram(&self, message: &[u8], begun: &Begun) -> io::Result<()> {
        let to = tokio::net::lookup_host((self.receiver.host.as_str(), self.receiver.port)).await?;
        let Some(to) = to.into_iter().next() else {
            return Err(io::Error::other("the name leads nowhere"));
        };
        let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
        socket.connect(to).await?;
        begun.set();
        socket.send(message).await.map(|_| ())
    }

    /// On a connection of its own. The receiver closes it when it has read all; what it had not read when it died comes
    /// back as a reset.
    async fn send_alone(&self, frame: &[u8], begun: &Begun) -> io::Result<()> {
        let mut stream = self.connect().await?;
        begun.set();
        stream.write_all(frame).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        let mut rest = [0; 64];
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // many close without the farewell of TLS; a reset is another error
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// On the connection for all, one message after the other.
    async fn send_kept(&self, frame: &[u8], begun: &Begun) -> io::Result<()> {
        let mut slot = self.kept.lock().await;
        // taken out: an attempt that is given up in the middle leaves no half message behind
        let kept = slot.take().filter(|kept| !*kept.gone.borrow());
        let mut kept = match kept {
            Some(kept) => kept,
            None => self.keep().await?,
        };
        begun.set();
        kept.writer.write_all(frame).await?;
        kept.writer.flush().await?;
        let mut gone = kept.gone.clone();
        *slot = Some(kept);
        drop(slot);
        let goes = gone.wait_for(|gone| *gone);
        match timeout(WATCH_FOR, goes).await {
            Err(_) => Ok(()),
            Ok(_) => Err(io::Error::new(io::ErrorKind::ConnectionReset, GONE)),
        }
    }

    async fn keep(&self) -> io::Result<Kept> {
        let (reader, writer) = tokio::io::split(self.connect().await?);
        let (sender, gone) = watch::channel(false);
        tokio::spawn(watch_over(reader, sender));
        Ok(Kept { writer, gone })
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let Receiver {
            host, port, protocol, ..
        } = &self.receiver;
        let connect = async {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok::<Box<dyn Stream>, io::Error>(match protocol {
                Protocol::Tls(config, name) => {
                    let connector = TlsConnector::from(std::sync::Arc::clone(config));
                    let stream = connector.connect(name.clone(), stream).await?;
                    Box::new(admitted(stream).await?)
                }
                Protocol::Tcp | Protocol::Udp => Box::new(stream),
            })
        };
        match timeout(CONNECT_TIMEOUT, connect).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")),
        }
    }
}

/// `stream`, unless its receiver ends it right after the handshake: with TLS 1.3 it looks at our certificate only then, and
/// closes the connection when it does not like it, which would count as having read what is sent meanwhile.
async fn admitted<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<S> {
    match timeout(WATCH_FOR, stream.read(&mut [0])).await {
        // receivers say nothing
        Err(_) | Ok(Ok(1..)) => Ok(stream),
        Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::ConnectionRefused, REFUSED)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, REFUSED))
        }
        Ok(Err(error)) => Err(error),
    }
}

/// Reads what no receiver sends until the connection ends, or nobody writes to it any more.
async fn watch_over(mut reader: ReadHalf<Box<dyn Stream>>, gone: watch::Sender<bool>) {
    let mut rest = [0; 256];
    loop {
        tokio::select! {
            read = reader.read(&mut rest) => {
                if !matches!(read, Ok(1..)) {
                    gone.send_replace(true);
                    return;
                }
            }
            () = gone.closed() => return,
        }
    }
}
