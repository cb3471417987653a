use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tonic::transport::{Certificate, Identity};

use super::{TlsError, TlsFiles};

/// What the files looked like: when each was written, and its size. `None` for one that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps([Option<(SystemTime, u64)>; 3]);

impl Stamps {
    pub(super) async fn of(files: &TlsFiles) -> Self {
        let [cert, key, ca] = [&files.cert, &files.key, &files.ca].map(|path| stamp(path));
        Self(tokio::join!(cert, key, ca).into())
    }
}

async fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What the files hold, found to fit together.
pub(super) struct Material {
    pub(super) identity: Identity,
    pub(super) ca: Certificate,
    /// Refuses clients without a certificate of the authority.
    pub(super) server: Arc<ServerConfig>,
}

impl Material {
    pub(super) async fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let cert = read_pem(&files.cert, "CERTIFICATE", "certificate").await?;
        let key = read_pem(&files.key, "PRIVATE KEY", "private key").await?;
        let ca = read_pem(&files.ca, "CERTIFICATE", "certificate").await?;
        let server = server_config(&cert, &key, &ca).map_err(|reason| TlsError::Unusable {
            cert: files.cert.clone(),
            key: files.key.clone(),
            reason,
        })?;
        Ok(Self {
            identity: Identity::from_pem(cert, key),
            ca: Certificate::from_pem(ca),
            server: Arc::new(server),
        })
    }
}

/// Fails for files that a client could not use either.
fn server_config(cert: &str, key: &str, ca: &str) -> Result<ServerConfig, String> {
    let provider = Arc::new(default_provider());
    let certs = certificates(cert).map_err(|error| format!("certificate: {error}"))?;
    // The error of a decoder might quote what it read.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "private key: not decodable")?;
    let mut roots = RootCertStore::empty();
    for root in certificates(ca).map_err(|error| format!("authority: {error}"))? {
        roots.add(root).map_err(|error| format!("authority: {error}"))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| format!("authority: {error}"))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certs, key)
        .map_err(|error| error.to_string())?;
    // HTTP/1.1 for those who read metrics; a server that takes no such requests ends the connection.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.map_err(|error| error.to_string())
}

async fn read_pem(path: &Path, section: &str, expected: &'static str) -> Result<String, TlsError> {
    let pem = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })?;
    let found = pem
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.contains(section));
    if found {
        Ok(pem)
    } else {
        Err(TlsError::Empty {
            path: path.to_owned(),
            expected,
        })
    }
}
