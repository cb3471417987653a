use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How a process ends: first it drains (takes nothing new, finishes what it has), then, at the deadline or on a
/// second signal, it stops at once. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    drain: CancellationToken,
    abort: CancellationToken,
    reason: OnceLock<String>,
}

impl Shutdown {
    /// Not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to drain. The first reason given is the one that is kept.
    pub fn begin(&self, reason: impl Into<String>) {
        if self.state.reason.set(reason.into()).is_ok() {
            tracing::info!(reason = self.reason().unwrap_or_default(), "draining");
        }
        self.state.drain.cancel();
    }

    /// Stops at once: what is in flight is left, and redelivered after the next start.
    pub fn abort(&self, reason: impl Into<String>) {
        self.begin(reason);
        self.state.abort.cancel();
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.drain.is_cancelled()
    }

    /// Whether everything is to stop at once.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.state.abort.is_cancelled()
    }

    /// Why it began.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.state.reason.get().map(String::as_str)
    }

    /// Waits until draining begins.
    pub async fn draining(&self) {
        self.state.drain.cancelled().await;
    }

    /// Waits until everything is to stop at once.
    pub async fn aborted(&self) {
        self.state.abort.cancelled().await;
    }

    /// Listens for SIGTERM and SIGINT: the first begins to drain, the second, or `deadline` after draining began
    /// (for whatever reason), aborts. The handlers are installed when this returns; the future that it returns
    /// is to be run beside everything else and ends with the abort.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn on_signals(&self, deadline: Duration) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        Ok(async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => shutdown.begin("signal SIGTERM"),
                _ = interrupt.recv() => shutdown.begin("signal SIGINT"),
                () = shutdown.draining() => {}
            }
            tokio::select! {
                biased;
                () = shutdown.aborted() => return,
                _ = terminate.recv() => tracing::warn!("second signal, stopping at once"),
                _ = interrupt.recv() => tracing::warn!("second signal, stopping at once"),
                () = tokio::time::sleep(deadline) => {
                    tracing::warn!(deadline_secs = deadline.as_secs_f64(), "not drained in time, stopping at once");
                }
            }
            shutdown.abort("stopped while draining");
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn draining_that_takes_too_long_is_aborted_at_the_deadline() {
        let shutdown = Shutdown::new();
        let watch = tokio::spawn(shutdown.on_signals(Duration::from_secs(30)).unwrap());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!shutdown.is_draining());
        shutdown.begin("input ended");
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert!(shutdown.is_draining() && !shutdown.is_aborted());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(shutdown.is_aborted());
        assert_eq!(shutdown.reason(), Some("input ended"));
        watch.await.unwrap();
    }
}
