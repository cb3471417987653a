use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An emulator that takes longer for a word of control is not healthy.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One small request to an emulator on this machine; the answer, head and body.
pub(super) async fn call(port: u16, method: &str, path: &str, body: &str) -> io::Result<String> {
    call_with(port, method, path, "content-type: application/json\r\n", body).await
}

/// The same with other headers, each with its end of line.
pub(super) async fn call_with(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
             {headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // Not every emulator closes the connection when asked to.
        while !is_complete(&answer) && stream.read_buf(&mut answer).await? > 0 {}
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if answer.starts_with("HTTP/1.") {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("no HTTP answer: {answer:?}")))
        }
    };
    match tokio::time::timeout(CALL_TIMEOUT, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Whether an answer with a stated length is all there; one without ends with the connection.
fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_some_and(|length| {
        length
            .trim()
            .parse()
            .is_ok_and(|length: usize| body.len() >= length)
    })
}
