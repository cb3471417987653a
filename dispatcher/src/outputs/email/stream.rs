//! A connection on which nothing that came before encryption is taken for something that came after it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Until the answer to `STARTTLS` has been read, hands out one byte at a time: the client reads through a buffer, and what
/// stood in it would count as said by the encrypted server, although anybody on the way can write it (CVE-2011-0411 is
/// the same for servers). So it stays in the socket, where the handshake stumbles over it.
#[derive(Debug)]
pub(super) struct Careful {
    stream: TcpStream,
    phase: Phase,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Plain,
    Asked,
    Encrypted,
}

impl Careful {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            phase: Phase::Plain,
            line: Vec::new(),
        }
    }

    /// Sees what was read; the last line of an answer has a space after its number.
    fn see(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.line.len() < 4 {
                self.line.push(byte);
            }
            return;
        }
        if self.phase == Phase::Asked && self.line.get(3) == Some(&b' ') {
            self.phase = Phase::Encrypted;
        }
        self.line.clear();
    }
}

impl AsyncTokioStream for Careful {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Careful {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.phase == Phase::Encrypted || into.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut one))?;
        if let [byte] = *one.filled() {
            self.see(byte);
            into.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Careful {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.phase == Phase::Plain && bytes.starts_with(b"STARTTLS") {
            self.phase = Phase::Asked;
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
