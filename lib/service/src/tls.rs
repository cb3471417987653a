mod material;
mod serve;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tonic::transport::ClientTlsConfig;

use self::material::{Material, Stamps};
pub(crate) use serve::secured;

/// How often files are looked at, unless configured otherwise. Certificates are renewed days before they expire.
const POLL_EVERY: Duration = Duration::from_secs(60);

/// The PEM files of mutual TLS: who we are, and who may speak to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, with intermediates if there are any.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that the certificate of the other side must come from.
    pub ca: PathBuf,
    /// The name that a server's certificate must carry; `None` = the host that was dialled.
    pub server_name: Option<String>,
}

/// Why the TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has no PEM section of the kind that is needed.
    #[error("tls file {} holds no pem {expected}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// A PEM section cannot be decoded, or the certificate and the key are not of one pair.
    #[error("tls files {} and {} cannot be used: {reason}", cert.display(), key.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why, in one line without secrets.
        reason: String,
    },
}

impl TlsError {
    /// It with its cause, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        crate::cause::with_causes(self)
    }
}

/// Mutual TLS by files that may be renewed while the process runs: new connections use what the files hold now, old
/// ones go on. Files that cannot be used leave in force what was used before, with a warning. Clones share this.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    files: TlsFiles,
    poll_every: Duration,
    /// The files as they were looked at last, readable or not.
    seen: Mutex<Option<Stamps>>,
    current: watch::Sender<Option<Arc<Material>>>,
    reloads: AtomicU64,
    failing: AtomicBool,
}

/// What has become of TLS files since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsStatus {
    /// How often newer files were taken over.
    pub reloads: u64,
    /// Whether the files as they are now cannot be used, and older ones are in force.
    pub failing: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.shared.files).finish()
    }
}

impl From<TlsFiles> for Tls {
    fn from(files: TlsFiles) -> Self {
        Self::polled(files, POLL_EVERY)
    }
}

impl Tls {
    /// By `files`, which servers look at so often, and on SIGHUP. Clients look at them at every connect. Nothing is
    /// read yet.
    #[must_use]
    pub fn polled(files: TlsFiles, poll_every: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                files,
                poll_every,
                seen: Mutex::new(None),
                current: watch::Sender::new(None),
                reloads: AtomicU64::new(0),
                failing: AtomicBool::new(false),
            }),
        }
    }

    /// How it stands with the files.
    #[must_use]
    pub fn status(&self) -> TlsStatus {
        TlsStatus {
            reloads: self.shared.reloads.load(Ordering::Relaxed),
            failing: self.shared.failing.load(Ordering::Relaxed),
        }
    }

    /// Looks at the files, and takes them over if they have changed.
    ///
    /// # Errors
    /// They have changed, or are looked at for the first time, and cannot be used. What was in force stays so. The
    /// error is told (and logged) once for each change, unless there is nothing in force.
    pub async fn refresh(&self) -> Result<(), TlsError> {
        let shared = &*self.shared;
        // One at a time, so that an older reading does not replace a newer one.
        let mut seen = shared.seen.lock().await;
        let stamps = Stamps::of(&shared.files).await;
        let in_force = shared.current.borrow().is_some();
        if in_force && seen.as_ref() == Some(&stamps) {
            return Ok(());
        }
        *seen = Some(stamps);
        match Material::load(&shared.files).await {
            Ok(material) => {
                shared.current.send_replace(Some(Arc::new(material)));
                shared.failing.store(false, Ordering::Relaxed);
                if in_force {
                    shared.reloads.fetch_add(1, Ordering::Relaxed);
                    let cert = shared.files.cert.display();
                    tracing::info!(%cert, "tls files read again");
                }
                Ok(())
            }
            Err(error) => {
                shared.failing.store(in_force, Ordering::Relaxed);
                if in_force {
                    let problem = error.told();
                    tracing::warn!(problem, "new tls files are not used, going on with the old ones");
                }
                Err(error)
            }
        }
    }

    /// What is in force, after a look at the files.
    async fn material(&self) -> Result<Arc<Material>, TlsError> {
        let looked = self.refresh().await;
        let current = self.shared.current.borrow().clone();
        match current {
            Some(material) => Ok(material),
            None => {
                looked?;
                // Cannot be: a look that finds no fault leaves something in force.
                Material::load(&self.shared.files).await.map(Arc::new)
            }
        }
    }

    pub(crate) async fn client_config(&self, server_name: Option<&str>) -> Result<ClientTlsConfig, TlsError> {
        let material = self.material().await?;
        let config = ClientTlsConfig::new()
            .identity(material.identity.clone())
            .ca_certificate(material.ca.clone());
        Ok(match self.shared.files.server_name.as_deref().or(server_name) {
            Some(name) => config.domain_name(name),
            None => config,
        })
    }
}
