//! As much of HTTP/1.1 as a load generator and a receiver on loopback need: messages with a length, one after the other.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head and body of a message.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Reads one message into `buffer`, after what an earlier call has left there. Answers where its body begins and ends;
/// `None` when the other side has closed.
pub(in crate::bench) async fn read_message(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(usize, usize)>> {
    loop {
        if let Some(begin) = find(buffer, b"\r\n\r\n").map(|at| at + 4) {
            let end = begin + content_length(&buffer[..begin]);
            if end <= buffer.len() {
                return Ok(Some((begin, end)));
            }
        }
        if buffer.len() > MESSAGE_BYTES_MAX {
            return Err(io::Error::other("message too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// Says that a request was taken.
pub(in crate::bench) async fn reply(stream: &mut TcpStream) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
}

/// Posts `body` and answers the status.
pub(in crate::bench) async fn post(stream: &mut TcpStream, path: &str, body: &[u8]) -> io::Result<u16> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    match read_message(stream, &mut answer).await? {
        Some(_) => status(&answer).ok_or_else(|| io::Error::other("an answer without a status")),
        None => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// The body at `path`, if anybody answers.
pub(super) async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let begin = find(&answer, b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    match status(&answer) {
        Some(200) => Ok(String::from_utf8_lossy(&answer[begin..]).into_owned()),
        _ => Err(io::Error::other("refused")),
    }
}

fn status(message: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(message.get(9..12)?).ok()?;
    text.parse().ok()
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or_default()
}

pub(in crate::bench) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
