//! `stdout:NAME`: one line per alert on the standard output of the dispatcher.
//!
//! As JSON (the publication, with `idempotency_key` as its first field) for containers whose platform collects what
//! they print, or as text for people who watch.
//!
//! Idempotency: there is no looking back at what was printed. A line whose attempt timed out because nobody read may
//! come twice, with the same `idempotency_key`.
//!
//! Limits: none.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

pub(super) use request::told;

use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "stdout",
    title: "Standard output",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let format = config::format(settings)?;
    Ok(Arc::new(Stdout::new(format, io::stdout())))
}

/// Writes lines to one writer, one after the other.
struct Stdout<W> {
    format: config::Format,
    /// Held by the attempt that writes, so that one that hangs costs one thread and not one per attempt.
    turn: Arc<tokio::sync::Mutex<()>>,
    writer: Arc<Mutex<W>>,
}

impl<W> Stdout<W> {
    fn new(format: config::Format, writer: W) -> Self {
        Self {
            format,
            turn: Arc::default(),
            writer: Arc::new(Mutex::new(writer)),
        }
    }
}

#[async_trait]
impl<W: Write + Send + 'static> Output for Stdout<W> {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let line = request::line(self.format, publication, key);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let writer = Arc::clone(&self.writer);
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            // one write: what others print does not come between
            writer.write_all(&line)?;
            writer.flush()
        });
        match written.await {
            Ok(result) => response::judge(result),
            Err(_) => Err(SendError::unsure("the write was given up")),
        }
    }
}
