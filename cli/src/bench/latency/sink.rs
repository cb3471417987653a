use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::load::MARK;
use crate::bench::live::{find, read_message, reply};
use crate::failure::Failure;

/// How long nothing may arrive while something is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The output: takes every alert at once and notes which record it is about.
pub(super) struct Sink {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(u64, Instant)>>>,
    count: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    pub(super) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::new(watch::Sender::new(0));
        let (noted, told) = (seen.clone(), count.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, noted.clone(), told.clone()));
            }
        });
        Ok(Self {
            address,
            seen,
            count,
            task,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until so many alerts have arrived since everything was forgotten.
    pub(super) async fn wait_for(&self, alerts: u64) -> Result<(), Failure> {
        let mut count = self.count.subscribe();
        while (*count.borrow_and_update() as u64) < alerts {
            let changed = tokio::time::timeout(PATIENCE, count.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                let arrived = *self.count.borrow();
                return Err(Failure::Other(format!("{arrived} of {alerts} alerts arrived")));
            }
        }
        Ok(())
    }

    /// Which alerts have arrived, and when.
    pub(super) fn seen(&self) -> Vec<(u64, Instant)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clear();
        self.count.send_replace(0);
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<(u64, Instant)>>>,
    told: Arc<watch::Sender<usize>>,
) {
    let mut buffer = Vec::new();
    // A connection that breaks is the sender's to open again.
    while let Ok(Some((begin, end))) = read_message(&mut stream, &mut buffer).await {
        let at = Instant::now();
        if reply(&mut stream).await.is_err() {
            return;
        }
        if let Some(number) = number(&buffer[begin..end]) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((number, at));
            told.send_replace(seen.len());
        }
        buffer.drain(..end);
    }
}

/// The number of the record that an alert is about.
fn number(body: &[u8]) -> Option<u64> {
    let rest = &body[find(body, MARK.as_bytes())? + MARK.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_of_other_rules_are_not_ours() {
        assert_eq!(
            number(br#"{"record":{"eventID":"streamalert-bench-0017"}}"#),
            Some(17)
        );
        assert_eq!(number(br#"{"record":{"eventID":"0017"}}"#), None);
        assert_eq!(number(b"streamalert-bench-"), None);
    }
}
