use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bench::cpu::thread_time;
use crate::bench::live::{find, read_message, reply};
use crate::failure::Failure;

/// A webhook on loopback, on a thread of its own, so that its computing time is not the sender's. Whatever the path, it
/// answers 200 at once; while it is sick, it never answers `/hangs`, and answers `/fails` with 500.
pub(in crate::bench) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: JoinHandle<Duration>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU64,
    connections: AtomicU64,
    sick: AtomicBool,
    notes: AtomicBool,
    /// Requests answered with success, by idempotency key, with when the first came.
    taken: Mutex<BTreeMap<String, (Instant, u32)>>,
}

impl Receiver {
    pub(in crate::bench) fn start() -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (shared, stop) = (Arc::<Shared>::default(), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (told, stopped) = (Arc::clone(&shared), stop.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let accepting = async {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    while let Ok((stream, _)) = listener.accept().await {
                        told.connections.fetch_add(1, Ordering::Relaxed);
                        tokio::spawn(serve(stream, Arc::clone(&told)));
                    }
                };
                tokio::select! {
                    () = accepting => {}
                    () = stopped.cancelled() => {}
                }
            });
            thread_time()
        });
        Ok(Self {
            address,
            shared,
            stop,
            thread,
        })
    }

    pub(in crate::bench) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(in crate::bench) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    pub(in crate::bench) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(in crate::bench) fn set_sick(&self, sick: bool) {
        self.shared.sick.store(sick, Ordering::Relaxed);
    }

    /// From now on it is noted what is taken.
    pub(in crate::bench) fn note(&self) {
        self.shared.notes.store(true, Ordering::Relaxed);
    }

    /// What was taken, by idempotency key: when first, and how often.
    pub(in crate::bench) fn taken(&self) -> BTreeMap<String, (Instant, u32)> {
        let taken = self.shared.taken.lock();
        taken.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many different ones were taken.
    pub(in crate::bench) fn taken_count(&self) -> usize {
        let taken = self.shared.taken.lock();
        taken.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Ends it, and answers its computing time.
    pub(in crate::bench) fn stop(self) -> Duration {
        self.stop.cancel();
        self.thread.join().unwrap_or_default()
    }
}

/// A connection that breaks is the sender's to open again.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Ok(Some((begin, end))) = read_message(&mut stream, &mut buffer).await {
        let at = Instant::now();
        let head = &buffer[..begin];
        shared.requests.fetch_add(1, Ordering::Relaxed);
        if shared.sick.load(Ordering::Relaxed) {
            if find(head, b" /hangs ").is_some() {
                return std::future::pending().await;
            }
            if find(head, b" /fails ").is_some() {
                let refusal = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
                if stream.write_all(refusal).await.is_err() {
                    return;
                }
                buffer.drain(..end);
                continue;
            }
        }
        if shared.notes.load(Ordering::Relaxed)
            && let Some(key) = key_of(head)
        {
            let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.entry(key).or_insert((at, 0)).1 += 1;
        }
        if reply(&mut stream).await.is_err() {
            return;
        }
        buffer.drain(..end);
    }
}

fn key_of(head: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\r\nidempotency-key: ";
    let rest = &head[find(head, NAME)? + NAME.len()..];
    let value = &rest[..find(rest, b"\r\n")?];
    Some(String::from_utf8_lossy(value).into_owned())
}
